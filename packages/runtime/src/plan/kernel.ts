/** The kernels that a step can be planned for. */
import type { GeneralKernel } from './general/kernel.ts'
import type { ByteRowsKernel, ByteRowsShape } from './integer/byte-rows.ts'
import type { Movement } from './moves.ts'
import type { DenseRun } from './numbers/dense-runs.ts'
import type { Tiling } from './numbers/tile.ts'
import type { WindowLayout } from './numbers/window.ts'
import type { Bounds } from './steps.ts'

/** One magnitude for +1 and −1 needs one multiplication an output, two need two. */
export type Magnitudes = 'equal' | 'two'

export interface Tiled {
  readonly layout: WindowLayout
  readonly tiling: Tiling
}

export type Kernel =
  /** Ternary convolution: per output channel a list of inputs to add and one to subtract, a tile at a time. */
  | ({
      readonly name: 'add-lists'
      readonly magnitudes: Magnitudes
      /** Entries of all lists; fewer than weights where `layout` has sums of neighbours. */
      readonly entries: number
    } & Tiled)
  /** The same for single outputs (fully connected, or a 1×1 map): one number at a time. */
  | {
      readonly name: 'gather-lists'
      readonly magnitudes: Magnitudes
      readonly layout: WindowLayout | undefined
    }
  /** Convolution with one multiplication a weight, several filters at a time. */
  | ({ readonly name: 'dense-tiles'; readonly runs: readonly DenseRun[] } & Tiled)
  /** Matrix times vector, neighbouring outputs in the lanes. */
  | { readonly name: 'dense-rows'; readonly layout: WindowLayout | undefined }
  | ({
      readonly name: 'pool-tiles'
      readonly pool: 'max' | 'mean'
      readonly window: readonly [number, number]
    } & Tiled)
  /** Max pooling of 2 × 2 neighbours. */
  | { readonly name: 'pool-pairs' }
  | { readonly name: 'copy'; readonly movement: Movement }
  | { readonly name: 'clip'; readonly bounds: Bounds }
  | { readonly name: 'combine'; readonly op: 'Add' | 'Sub' | 'Mul' }
  /** Sums or means over the last axes. */
  | { readonly name: 'row-sums'; readonly length: number; readonly scale: number }
  /** Ternary convolution on bytes: add-lists on whole vectors of 16. */
  | {
      readonly name: 'byte-lists'
      /** Bytes added up in a byte. */
      readonly group: 1 | 2 | 4
      /** Offsets of 32 bits instead of 16. */
      readonly wide: boolean
      /** Vectors of one tile. */
      readonly vectors: number
    }
  /** Fully connected on bytes, by tables of the sums of four inputs or by lists. */
  | { readonly name: ByteRowsKernel; readonly shape: ByteRowsShape }
  | {
      readonly name:
        | 'byte-dense'
        | 'quantize'
        | 'dequantize'
        | 'byte-window'
        | 'byte-maximum'
        | 'byte-pairs'
        | 'byte-mean'
        | 'byte-copy'
    }
  | GeneralKernel
  /** The output is the input under another name. */
  | { readonly name: 'alias' }
  | { readonly name: 'reference' }

export type KernelName = Kernel['name']

export interface Choice {
  readonly kernel: Kernel
  readonly reason: string
}

/** Why plain JavaScript computes a step. */
export const reference = (reason: string): Choice => ({ kernel: { name: 'reference' }, reason })
