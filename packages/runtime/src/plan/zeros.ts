export const describeZeros = (count: number, total: number): string =>
  `${((100 * (total - count)) / total).toFixed(1)} % zeros`
