/** The most memory this process has had. */
import { readFileSync } from 'node:fs'

/**
 * Bytes of the largest resident set so far. On Linux from the kernel's record of this program: the usual count,
 * `maxRSS`, also holds what the parent had when it started this process.
 */
export function peakMemoryBytes(): number {
  try {
    const found = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))
    if (found !== null) return Number(found[1]) * 1024
  } catch {
    // No such file: not Linux.
  }
  return process.resourceUsage().maxRSS * 1024
}
