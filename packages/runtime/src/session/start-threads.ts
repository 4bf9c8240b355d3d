import { SternaError } from '../errors.ts'
import type { LoadMessage } from './threads/messages.ts'
import type { StartedPool } from './threads/pool.ts'

/** More than any host has cores for. */
const maxThreads = 256

/** @throws SternaError `usage/option` */
export function expectThreads(threads: number): void {
  if (Number.isInteger(threads) && threads >= 1 && threads <= maxThreads) return
  throw new SternaError(
    'usage/option',
    `threads: expected a whole number from 1 to ${maxThreads}, found ${threads}`,
  )
}

/** The threads that compute beside the calling one; what starts them is loaded where there are to be some. */
export async function startThreads(threads: number, network: LoadMessage): Promise<StartedPool> {
  if (threads === 1) return { pool: undefined, reason: 'asked for' }
  return (await import('./threads/pool.ts')).startPool(threads, network)
}
