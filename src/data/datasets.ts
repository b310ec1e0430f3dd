/** Facts of the known data sets: source, licence, files with their checksums, split. */

import type { Dataset } from './registry.ts';

const shakespeareSource = 'karpathy/char-rnn@6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e';
const wikitextSource = 'pytorch/examples@77f55b912142e11fcfdf5b530231fb9c52f181e8';
const speechesSource = 'nltk/nltk_data@5db857e6f7df11eabb5e5665836db9ec8df07e28';
const docsSource = 'redis/redis-doc@1044224477fceacc5af56a636b0a7495d19e533c';
const redisSource = 'redis/redis@d2c8a4b91e8c0e6aefd1f5bc0bf582cddbe046b7';
const requestsSource = 'psf/requests@1f6589ec3a1ee910f9a65cc3ceac60b26677bc0e';
const storiesSource = 'DaveBben/esp32-llm@934dab4d242d259abd88678488ea3b62d4fca601';

/** Every data set by name. */
export const datasets = {
  tinyshakespeare: {
    name: 'tinyshakespeare',
    title: 'Tiny Shakespeare: 40,000 lines of plays',
    source: shakespeareSource,
    licence: 'public domain (the repository is MIT)',
    kind: 'text',
    split: 'the first 90% of the characters train, the rest tests',
    files: [
      {
        path: 'tinyshakespeare/input.txt.gz',
        bytes: 433884,
        sha256: '13125fe8f49092165d7d489e3944db52d1ba546e64a60080cc9523bcd0c5e46a',
        contentSha256: '86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed',
        url: at(shakespeareSource, 'data/tinyshakespeare/input.txt'),
      },
    ],
  },
  wikitext2: {
    name: 'wikitext2',
    title: 'WikiText-2, the validation and test articles',
    source: wikitextSource,
    licence: 'CC BY-SA 3.0',
    kind: 'text',
    split: 'the validation file trains, the test file tests',
    files: [
      {
        path: 'wikitext2/valid.txt.gz',
        bytes: 373475,
        sha256: '3cdd8cb5bb349a05840c7c3bef9578d90d64df77e27e0c25c033ba9342757ee3',
        contentSha256: 'f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8',
        url: at(wikitextSource, 'word_language_model/data/wikitext-2/valid.txt'),
      },
      {
        path: 'wikitext2/test.txt.gz',
        bytes: 410944,
        sha256: '688887879b4b526692cb2e423a516dcc5f6584a01fd3f33a8e164fbed2de8090',
        contentSha256: 'd790b833ef8cf03a90db7bf1271b7520b83c45ce07ba3c1a9699df81e239eca0',
        url: at(wikitextSource, 'word_language_model/data/wikitext-2/test.txt'),
      },
    ],
  },
  speeches: {
    name: 'speeches',
    title: 'Inaugural and State of the Union addresses of United States presidents',
    source: speechesSource,
    licence: 'public domain',
    kind: 'text',
    split: 'speeches up to 1990 train, later ones test',
    files: [
      {
        path: 'speeches/us-presidents.jsonl.gz',
        bytes: 988052,
        sha256: 'c6f13c7a64db0fb174ee298a9fb98c0c0d9981b0820cdf7deb0d834c598247c5',
        contentSha256: '34830e9a2b1ad5f0a763d2afc97a69713d2dc6c05cf18657ac57b1819f9c6add',
        url: `${at(speechesSource, 'packages/corpora')} (inaugural.zip and state_union.zip as JSON lines of corpus, file, text)`,
      },
    ],
  },
  'tech-docs': {
    name: 'tech-docs',
    title: 'Documentation of Redis in Markdown',
    source: docsSource,
    licence: 'CC BY-SA 4.0',
    kind: 'text',
    split: 'every fifth page by path tests, the others train',
    files: [
      {
        path: 'tech-docs/redis-doc.jsonl.gz',
        bytes: 579853,
        sha256: '150c56b3fcfcda74fa2263f22a02079be29c98719923119e933e8cc57ca9821c',
        contentSha256: 'c623924cea907c6748c640a180287d80b362016f45034fba8cc8c5b63281367c',
        url: `${at(docsSource, '')} (its .md files as JSON lines of path, text)`,
      },
    ],
  },
  'source-code': {
    name: 'source-code',
    title: 'Source code: Redis in C and Requests in Python',
    source: `${redisSource}, ${requestsSource}`,
    licence: 'BSD-3-Clause (Redis 7.2.4), Apache-2.0 (Requests)',
    kind: 'text',
    split: 'every fifth file by path tests, the others train',
    files: [
      {
        path: 'source-code/redis-c.jsonl.gz',
        bytes: 1281840,
        sha256: '06d87f74b1c14a3043eede8ab5d9c16809d4cf926d0a3fc92c9d969287c84068',
        contentSha256: 'efbd2b0326f7753d58fd1d25b3b59195ab71883b42f7c53d6cfe5dce809c6eb0',
        url: `${at(redisSource, 'src')} (*.c and *.h as JSON lines of path, text)`,
      },
      {
        path: 'source-code/requests-py.jsonl.gz',
        bytes: 97780,
        sha256: '73e49f9662de0fa237352fc9a666dd6dc8ff3f821efebfe9b5ddfced24e516d7',
        contentSha256: 'f8f285e07fa0a9d32af7ebbef7352dfb7aaa54a65fadaa9f8d84763eb908ea75',
        url: `${at(requestsSource, '')} (*.py as JSON lines of path, text)`,
      },
    ],
  },
  stories260k: {
    name: 'stories260k',
    title:
      'stories260K: a trained Llama-style model of 260,000 parameters with its tokenizer',
    source: storiesSource,
    licence: 'MIT where first published (karpathy/tinyllamas)',
    kind: 'checkpoint',
    split: 'none',
    files: [
      {
        path: 'checkpoints/stories260k/stories260K.bin',
        bytes: 1056540,
        sha256: 'b0a507e7ad0f626624f17112325e66691f9076d622e1d3274d103d00299f2696',
        url: at(storiesSource, 'data/stories260K.bin'),
      },
      {
        path: 'checkpoints/stories260k/tok512.bin',
        bytes: 6227,
        sha256: '037cb335abb25d1fa9e8ecae30ed2a3a8ace9302862ebcdc05d51a6bbb10c312',
        url: at(storiesSource, 'data/tok512.bin'),
      },
    ],
  },
  digits: {
    name: 'digits',
    title: 'Handwritten digits, 1,797 images of 8x8 (UCI, as scikit-learn bundles them)',
    source: 'scikit-learn 1.2.1, sklearn/datasets/data',
    licence: 'CC BY 4.0 (scikit-learn is BSD-3-Clause)',
    kind: 'digits',
    split: 'every fifth row tests, the others train',
    files: [
      {
        path: 'sklearn-small/digits.csv.gz',
        bytes: 57512,
        sha256: '46abec6b12486ad9e51943373abcf22bbea1b5a51a1619b361570d8893f1464a',
        contentSha256: '6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8',
        url: at('scikit-learn/scikit-learn@1.2.1', 'sklearn/datasets/data/digits.csv.gz'),
      },
    ],
  },
} as const satisfies Readonly<Record<string, Dataset>>;

export type DatasetName = keyof typeof datasets;

function at(source: string, path: string): string {
  const [repository, commit] = source.split('@');
  return `https://github.com/${repository}/tree/${commit}/${path}`.replace(/\/$/, '');
}
