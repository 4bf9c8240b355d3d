/** Draws one random digit. */
import type { Random } from '../../core/index.ts'
import type { Canvas } from './canvas.ts'
import { difficulty } from './difficulty.ts'
import { flatten } from './path.ts'
import { digitHands, type Stroke } from './strokes.ts'
import { affineWarp, bell, elasticWarp, type Warp } from './warp.ts'

const BOX_WIDTH = 10
const BOX_HEIGHT = 14

interface Pen {
  /** Half width in pixels. */
  readonly halfWidth: number
  readonly ink: number
  readonly softness: number
  /** How much the width swells and shrinks along a stroke, as a share. */
  readonly swell: number
  /** A broad nib: how much narrower strokes along its edge are, and the edge's direction. */
  readonly nib: number
  readonly nibX: number
  readonly nibY: number
}

/** Draws `digit` as one writer would once; everything about it comes from `random`. */
export function drawGlyph(canvas: Canvas, digit: number, random: Random): void {
  const { size } = canvas
  const centre = (size - 1) / 2
  const pen = choosePen(random)
  const scaleY = between(random, difficulty.height) / BOX_HEIGHT
  const scaleX = scaleY * between(random, difficulty.width)
  const affine = affineWarp({
    halfTurn: difficulty.halfTurn * bell(random),
    scaleX,
    scaleY,
    shear: difficulty.meanShear + difficulty.shear * bell(random),
    shiftX: centre + random.uniform(-difficulty.shift, difficulty.shift),
    shiftY: centre + random.uniform(-difficulty.shift, difficulty.shift),
  })
  const elastic = elasticWarp(random, size, between(random, difficulty.elastic))
  const warp: Warp = point => {
    affine(point)
    elastic(point)
  }
  canvas.clear()
  drawDigit(canvas, digit, random, warp, pen)
  if (random.uniform() < difficulty.clutter) drawClutter(canvas, random, affine, pen)
  addNoise(canvas, random, between(random, difficulty.noise))
}

function choosePen(random: Random): Pen {
  // The direction of the nib's edge, from a point in the square: close enough to uniform.
  const nibX = random.uniform(0.2, 1)
  const nibY = random.uniform(-1, 1)
  const length = Math.sqrt(nibX * nibX + nibY * nibY)
  return {
    halfWidth: between(random, difficulty.halfWidth),
    ink: between(random, difficulty.ink),
    softness: between(random, difficulty.softness),
    swell: random.uniform(0, 0.3),
    nib: random.below(3) === 0 ? random.uniform(0.2, 0.6) : 0,
    nibX: nibX / length,
    nibY: nibY / length,
  }
}

function drawDigit(canvas: Canvas, digit: number, random: Random, warp: Warp, pen: Pen): void {
  const hands = digitHands[digit]!
  const hand = hands[random.below(hands.length)]!
  // Strokes that meet in a point of the copybook are displaced together there.
  const jitter = new Map<string, readonly [number, number]>()
  for (const stroke of hand) {
    const points: number[] = []
    for (let i = 0; i < stroke.points.length; i += 2) {
      const x = stroke.points[i]!
      const y = stroke.points[i + 1]!
      const key = `${x},${y}`
      const moved =
        jitter.get(key) ??
        ([x + difficulty.pointJitter * bell(random), y + difficulty.pointJitter * bell(random)] as const)
      jitter.set(key, moved)
      points.push(moved[0], moved[1])
    }
    drawStroke(canvas, { kind: stroke.kind, points }, random, warp, pen)
  }
}

function drawStroke(canvas: Canvas, stroke: Stroke, random: Random, warp: Warp, pen: Pen): void {
  const path = flatten(stroke)
  const last = path.length / 2 - 1
  const startWidth = 1 + pen.swell * bell(random) * 0.5
  const endWidth = 1 + pen.swell * bell(random) * 0.5
  const point: [number, number] = [0, 0]
  let x0 = 0
  let y0 = 0
  let r0 = 0
  for (let i = 0; i <= last; i++) {
    point[0] = path[2 * i]! - BOX_WIDTH / 2
    point[1] = path[2 * i + 1]! - BOX_HEIGHT / 2
    warp(point)
    const [x1, y1] = point
    const t = last === 0 ? 0 : i / last
    const r1 = pen.halfWidth * (startWidth + t * (endWidth - startWidth)) * nibFactor(pen, x1 - x0, y1 - y0)
    if (i > 0) canvas.line(x0, y0, i === 1 ? r1 : r0, x1, y1, r1, pen.ink, pen.softness)
    x0 = x1
    y0 = y1
    r0 = r1
  }
}

/** Narrower where the stroke runs along the nib's edge. */
function nibFactor({ nib, nibX, nibY }: Pen, dx: number, dy: number): number {
  if (nib === 0) return 1
  const lengthSquared = dx * dx + dy * dy
  if (lengthSquared === 0) return 1
  const along = dx * nibX + dy * nibY
  return 1 - (nib * along * along) / lengthSquared
}

/** A stray mark, or the edge of a neighbouring digit. */
function drawClutter(canvas: Canvas, random: Random, affine: Warp, pen: Pen): void {
  const { size } = canvas
  if (random.below(2) === 0) {
    const offset = (random.below(2) === 0 ? -1 : 1) * random.uniform(size * 0.56, size * 0.72)
    const neighbour: Warp = point => {
      affine(point)
      point[0] += offset
    }
    drawDigit(canvas, random.below(10), random, neighbour, pen)
    return
  }
  const marks = 1 + random.below(2)
  for (let i = 0; i < marks; i++) {
    const x = random.uniform(0, size)
    const y = random.uniform(0, size)
    const radius = pen.halfWidth * random.uniform(0.4, 0.8)
    const ink = pen.ink * random.uniform(0.5, 1)
    canvas.line(x, y, radius, x + 3 * bell(random), y + 3 * bell(random), radius, ink, pen.softness)
  }
}

function addNoise({ ink }: Canvas, random: Random, strength: number): void {
  // The sum of a word's four bytes is bell-shaped: mean 510, standard deviation 147.8.
  const scale = strength / 147.8
  for (let i = 0; i < ink.length; i++) {
    const word = random.uint32()
    const sum = (word & 255) + ((word >>> 8) & 255) + ((word >>> 16) & 255) + (word >>> 24)
    ink[i] = ink[i]! + (sum - 510) * scale
  }
}

function between(random: Random, [low, high]: readonly [number, number]): number {
  return random.uniform(low, high)
}
