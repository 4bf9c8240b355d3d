/**
 * How a map of outputs is cut into tiles of at most four vectors, the accumulators of one kernel call. The last
 * tiles overlap their neighbours rather than overrun the map.
 */

/**
 * V8 before version 13 moves every addition of a loop's turn behind all its loads, so that a turn holds its
 * accumulators and as many loaded vectors, twice that where it walks two entries. More than the 15 registers of
 * x86-64 spill (measured on Node 20, ResNet-20: 4 accumulators 0.83 ms, 8 1.22 ms; on Node 24 0.81 and 0.77).
 */
const maxAccumulators = 4
const lanesPerVector = 4

export interface Tiling {
  /** Rows of one tile. */
  readonly rows: number
  /** Where in a tile's row each vector begins; the last may overlap the one before it. */
  readonly vectors: readonly number[]
  /** Columns of one tile. */
  readonly columns: number
  /** Lanes that are stored: 4, or fewer where the map is narrower than a vector. */
  readonly lanes: number
}

/** Walking one list entry costs about as much as this many vector additions. */
const entryCost = 2

/** The cheapest tiling: fewest vectors computed twice, lists walked as seldom as possible. */
export function chooseTiling(height: number, width: number, accumulators = maxAccumulators): Tiling {
  const vectorsAcross = Math.ceil(width / lanesPerVector)
  let best = { cost: Number.POSITIVE_INFINITY, rows: 1, vectors: 1 }
  for (let vectors = 1; vectors <= Math.min(accumulators, vectorsAcross); vectors++) {
    for (let rows = 1; rows <= Math.min(Math.floor(accumulators / vectors), height); rows++) {
      const tiles = Math.ceil(height / rows) * Math.ceil(vectorsAcross / vectors)
      const cost = tiles * (rows * vectors + entryCost)
      // Of equals the widest: neighbouring vectors share cache lines (measured: 18 against 13 G additions/s).
      if (cost <= best.cost) best = { cost, rows, vectors }
    }
  }
  const columns = Math.min(best.vectors * lanesPerVector, width)
  return {
    rows: best.rows,
    vectors: Array.from({ length: best.vectors }, (_, i) =>
      Math.max(0, Math.min(i * lanesPerVector, columns - lanesPerVector)),
    ),
    columns,
    lanes: Math.min(width, lanesPerVector),
  }
}
