/** Tells whether a process named in a file is still the one that wrote the file. */

import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

export interface ProcessIdentity {
  readonly pid: number;
  /** Kernel's start time of the process in clock ticks; null where it cannot be read. */
  readonly startTime: string | null;
  /** Same boot of the same machine and the same process namespace: pids can be compared. */
  readonly machine: string;
}

export function ownIdentity(): ProcessIdentity {
  return {
    pid: process.pid,
    startTime: startTimeOf(process.pid),
    machine: machineName(),
  };
}

/**
 * `alive` or `dead` where that is certain, `unknown` where only a heartbeat can tell: on
 * another machine, or without start times, where the pid may have been given out again.
 */
export function livenessOf(identity: ProcessIdentity): 'alive' | 'dead' | 'unknown' {
  if (identity.machine !== machineName()) return 'unknown';
  if (!exists(identity.pid)) return 'dead';
  const startTime = startTimeOf(identity.pid);
  if (identity.startTime === null || startTime === null) return 'unknown';
  return startTime === identity.startTime ? 'alive' : 'dead';
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Without the permission to signal it there still is such a process.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Field 22 of /proc/PID/stat; a process that has ended but was not waited for is gone. */
function startTimeOf(pid: number): string | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in brackets may itself hold spaces and brackets.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return 'ended';
    return fields[19] ?? null;
  } catch {
    return null;
  }
}

function machineName(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return hostname();
  }
}
