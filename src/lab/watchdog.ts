/** Thread that ends its process when the process that started it is gone. */

const owner = process.ppid;

setInterval(() => {
  if (process.ppid !== owner) process.kill(process.pid, 'SIGKILL');
}, 250);
