/** Turns strokes into polylines fine enough to draw: Catmull–Rom curves through the stroke's points. */
import type { Stroke } from './strokes.ts'

const STEPS_PER_SPAN = 5

/** Points x0, y0, x1, y1, … along a stroke. */
export function flatten({ kind, points }: Stroke): number[] {
  if (kind === 'lines') return [...points]
  const count = points.length / 2
  const closed = kind === 'closed'
  const spans = closed ? count : count - 1
  // Beyond an end, the end's own point stands in.
  const at = (i: number, axis: number) => {
    const place = closed ? (i + count) % count : Math.max(0, Math.min(count - 1, i))
    return points[2 * place + axis]!
  }
  const path: number[] = []
  for (let span = 0; span < spans; span++) {
    for (let step = 0; step < STEPS_PER_SPAN; step++) {
      const t = step / STEPS_PER_SPAN
      for (let axis = 0; axis < 2; axis++) {
        path.push(catmullRom(at(span - 1, axis), at(span, axis), at(span + 1, axis), at(span + 2, axis), t))
      }
    }
  }
  path.push(at(spans, 0), at(spans, 1))
  return path
}

/** The curve from b (t = 0) to c (t = 1). */
function catmullRom(a: number, b: number, c: number, d: number, t: number): number {
  return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
}
