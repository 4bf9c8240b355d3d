/** Times things against each other fairly: in turns in one process, compared pair by pair. */

/** One of the things compared; `run` does its work once. */
export interface Contestant {
  readonly name: string
  readonly run: () => Promise<unknown>
}

/** Long enough for code to reach its last compiler before it is counted. */
const warmUpTurns = 10

export interface PairedTimes {
  readonly name: string
  /** Median milliseconds of one `run`. */
  readonly medianMs: number
  /** Time over that of the first contestant in the same round: median, smallest, largest. */
  readonly ratio: { readonly median: number; readonly min: number; readonly max: number }
}

/**
 * `rounds` rounds; in each every contestant runs some times in a row, in an order that turns with the round so
 * that none always follows the same one. The first contestant is what the others are compared with. With
 * `repeats` that is how often each runs in its turn; with `turnMs` each runs about so many milliseconds, so that
 * a thing of microseconds is timed as surely as one of milliseconds.
 */
export async function timePairs(
  contestants: readonly Contestant[],
  options: {
    readonly rounds: number
    readonly onRound?: (round: number) => void
  } & ({ readonly repeats: number } | { readonly turnMs: number }),
): Promise<readonly PairedTimes[]> {
  const { rounds } = options
  const repeats: number[] = []
  for (const { run } of contestants) {
    for (let i = 0; i < 3; i++) await run()
    if ('repeats' in options) {
      repeats.push(options.repeats)
      continue
    }
    const startedMs = performance.now()
    let runs = 0
    while (performance.now() - startedMs < warmUpTurns * options.turnMs) {
      await run()
      runs++
    }
    repeats.push(Math.ceil(runs / warmUpTurns))
  }
  const times = contestants.map((): number[] => [])
  for (let round = 0; round < rounds; round++) {
    options.onRound?.(round)
    for (let turn = 0; turn < contestants.length; turn++) {
      const index = (turn + round) % contestants.length
      const startedMs = performance.now()
      for (let i = 0; i < repeats[index]!; i++) await contestants[index]!.run()
      times[index]!.push((performance.now() - startedMs) / repeats[index]!)
    }
  }
  return contestants.map(({ name }, index) => {
    const ratios = times[index]!.map((time, round) => time / times[0]![round]!)
    return {
      name,
      medianMs: median(times[index]!),
      ratio: { median: median(ratios), min: Math.min(...ratios), max: Math.max(...ratios) },
    }
  })
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
