/** Numbers as people read them: the unit always beside the number, the same on every machine. */

const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })

/** Whole numbers with thousands apart, e.g. `582,026`. */
export function formatCount(value: number): string {
  return grouped.format(value)
}

/** A file's length, to the byte: `89,412 bytes`. */
export function formatBytes(sizeBytes: number): string {
  return `${formatCount(sizeBytes)} ${sizeBytes === 1 ? 'byte' : 'bytes'}`
}

/** A size for orientation, in decimal units: `2.3 MB`. */
export function formatSize(sizeBytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB'] as const
  let value = sizeBytes
  let unit = 0
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit === 0 || value >= 100 ? value.toFixed(0) : value.toPrecision(2 + Number(value >= 10))} ${units[unit]}`
}

/** A fraction as a percentage: 0.9935 → `99.35 %`. */
export function formatPercent(fraction: number, digits = 2): string {
  return `${(100 * fraction).toFixed(digits)} %`
}

/** How many times smaller or faster: `27.8×`. */
export function formatTimes(ratio: number): string {
  return `${ratio >= 99.95 ? ratio.toFixed(0) : ratio >= 9.995 ? ratio.toFixed(1) : ratio.toFixed(2)}×`
}

/** `850 ms`, `12.4 s`, `2 min 05 s`, `1 h 02 min`. */
export function formatDuration(elapsedMs: number): string {
  if (elapsedMs < 999.5) {
    const digits = elapsedMs >= 99.5 ? 0 : elapsedMs >= 9.95 ? 1 : 2
    return `${elapsedMs.toFixed(digits)} ms`
  }
  if (elapsedMs < 59_950) return `${(elapsedMs / 1000).toFixed(1)} s`
  const seconds = Math.round(elapsedMs / 1000)
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${twoDigits(seconds % 60)} s`
  return `${Math.floor(minutes / 60)} h ${twoDigits(minutes % 60)} min`
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0')
}
