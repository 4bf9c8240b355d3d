/** What the benchmarks print alike. */
import { availableParallelism, cpus, loadavg } from 'node:os'
import type { Output } from '../output.ts'
import type { PairedTimes } from './pairs.ts'

/** What a benchmark found, for programs and for people. */
export interface BenchReport {
  readonly value: object
  readonly text: string
}

/** Median, and smallest to largest; 1 for what the others are compared with. */
export function ratioCells(ratio: PairedTimes['ratio'] | undefined): readonly [string, string] {
  if (ratio === undefined) return ['1', '']
  return [`${ratio.median.toFixed(2)}×`, `${ratio.min.toFixed(2)} – ${ratio.max.toFixed(2)}`]
}

/** Threads that wait for one another suffer more from other programs than others do: ratios then mean nothing. */
export function warnIfBusy(output: Output): void {
  const [load = 0] = loadavg()
  const cores = availableParallelism()
  if (load <= cores) return
  output.warn(
    `other programs are running (load average ${load.toFixed(1)} on ${cores} cores): the ratios say little`,
  )
}

export function describeMachine(): string {
  return `${cpus()[0]?.model.trim() ?? 'unknown CPU'}, ${availableParallelism()} cores, Node ${process.versions.node}`
}
