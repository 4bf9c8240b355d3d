/** A scatter plot as SVG text, coloured by the classes `s0`, `s1` … that the page around it defines. */
import { escapeHtml } from './html.ts'

export interface Series {
  readonly name: string
  readonly points: readonly { readonly x: number; readonly y: number; readonly title: string }[]
}

export interface Axis {
  /** Written below the x axis; the y axis is named by the plot's caption. */
  readonly title: string
  readonly scale: 'linear' | 'logarithmic'
  /** A tick's number in words. */
  readonly format: (value: number) => string
}

const width = 480
const height = 340
const plot = { left: 64, right: 464, top: 14, bottom: 284 } as const
const tickCount = 5
const dotRadius = 6
const labelHeight = 16
const letterWidth = 9

/** Every point with a tooltip, and each series' name at its mean. Text is sized to stay legible on a phone. */
export function scatterPlot(title: string, series: readonly Series[], xAxis: Axis, yAxis: Axis): string {
  const all = series.flatMap(({ points }) => points)
  const x = scaleOf(
    all.map(point => point.x),
    xAxis.scale,
    plot.left,
    plot.right,
  )
  const y = scaleOf(
    all.map(point => point.y),
    yAxis.scale,
    plot.bottom,
    plot.top,
  )
  const grid = [
    ...x.ticks.map(value => {
      const at = round(x.place(value))
      return `<path class="grid" d="M${at} ${plot.top}V${plot.bottom}"/><text x="${at}" y="${plot.bottom + 20}" text-anchor="middle">${escapeHtml(xAxis.format(value))}</text>`
    }),
    ...y.ticks.map(value => {
      const at = round(y.place(value))
      return `<path class="grid" d="M${plot.left} ${at}H${plot.right}"/><text x="${plot.left - 8}" y="${at + 5}" text-anchor="end">${escapeHtml(yAxis.format(value))}</text>`
    }),
  ]
  const dots = series.flatMap(({ name, points }, index) =>
    points.map(
      point =>
        `<circle class="s${index}" cx="${round(x.place(point.x))}" cy="${round(y.place(point.y))}" r="${dotRadius}"><title>${escapeHtml(`${name}: ${point.title}`)}</title></circle>`,
    ),
  )
  return [
    `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(title)}">`,
    ...grid,
    `<path class="axis" d="M${plot.left} ${plot.top}V${plot.bottom}H${plot.right}"/>`,
    `<text class="axis-title" x="${(plot.left + plot.right) / 2}" y="${height - 12}" text-anchor="middle">${escapeHtml(xAxis.title)}</text>`,
    ...dots,
    ...labels(series, x.place, y.place),
    '</svg>',
  ].join('\n')
}

interface Box {
  readonly left: number
  readonly right: number
  readonly top: number
  readonly bottom: number
}

/** Each name at the mean of its points: beside, above or below it, wherever it covers no point and no other name. */
function labels(
  series: readonly Series[],
  placeX: (value: number) => number,
  placeY: (value: number) => number,
): readonly string[] {
  const taken: Box[] = series
    .flatMap(({ points }) => points)
    .map(point => around(placeX(point.x), placeY(point.y), 2 * dotRadius, 2 * dotRadius))
  return series.map(({ name, points }) => {
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
    const x = mean(points.map(point => placeX(point.x)))
    const y = mean(points.map(point => placeY(point.y)))
    const width = name.length * letterWidth
    const beside = dotRadius + 4 + width / 2
    const above = dotRadius + labelHeight / 2
    const places = [1, 2, 3].flatMap(far => [
      around(x + beside, y + (far - 1) * labelHeight, width, labelHeight),
      around(x - beside, y + (far - 1) * labelHeight, width, labelHeight),
      around(x, y - far * above, width, labelHeight),
      around(x, y + far * above, width, labelHeight),
    ])
    const isFree = (box: Box) =>
      box.left > plot.left && box.right < plot.right && !taken.some(other => overlaps(box, other))
    const box = places.find(isFree) ?? places[0]!
    taken.push(box)
    const [textX, textY] = [round((box.left + box.right) / 2), round(box.bottom - 4)]
    return `<text class="name" x="${textX}" y="${textY}" text-anchor="middle">${escapeHtml(name)}</text>`
  })
}

function around(x: number, y: number, width: number, height: number): Box {
  return { left: x - width / 2, right: x + width / 2, top: y - height / 2, bottom: y + height / 2 }
}

function overlaps(a: Box, b: Box): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom
}

interface Scale {
  readonly ticks: readonly number[]
  readonly place: (value: number) => number
}

/** Ticks at round numbers around all values, which lie a little inside the ends. */
function scaleOf(values: readonly number[], kind: Axis['scale'], from: number, to: number): Scale {
  const map = kind === 'logarithmic' ? Math.log10 : (value: number) => value
  const mapped = values.map(map)
  const [least, most] = [Math.min(...mapped), Math.max(...mapped)]
  const margin = Math.max((most - least) * 0.08, Math.abs(most) * 1e-3, 1e-6)
  const [low, high] = [least - margin, most + margin]
  const place = (value: number) => from + ((map(value) - low) / (high - low)) * (to - from)
  const isInside = (value: number) => map(value) >= low && map(value) <= high
  const ticks = kind === 'logarithmic' ? logTicks(low, high) : linearTicks(low, high)
  return { ticks: ticks.filter(isInside), place }
}

function linearTicks(low: number, high: number): readonly number[] {
  const rough = (high - low) / tickCount
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map(factor => factor * power).find(size => size >= rough) ?? 10 * power
  const first = Math.ceil(low / step)
  const count = Math.floor(high / step) - first + 1
  return Array.from({ length: Math.max(0, count) }, (_, index) => (first + index) * step)
}

function logTicks(low: number, high: number): readonly number[] {
  const factors = high - low > 1.2 ? [1, 3] : high - low > 0.6 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 6, 8]
  const ticks: number[] = []
  for (let power = Math.floor(low); power <= Math.ceil(high); power++) {
    for (const factor of factors) ticks.push(factor * 10 ** power)
  }
  return ticks
}

const round = (value: number) => Math.round(value * 10) / 10
