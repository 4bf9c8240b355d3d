/** The part of ONNX's ModelProto that Sterna reads and writes, as plain data. */
import type { DType, Tensor } from '../../core/index.ts'

export type OnnxAttribute =
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'tensor'; readonly value: Tensor }
  | { readonly kind: 'ints'; readonly value: readonly number[] }
  | { readonly kind: 'floats'; readonly value: readonly number[] }
  | { readonly kind: 'strings'; readonly value: readonly string[] }

export interface OnnxNode {
  readonly opType: string
  /** '' is the standard ONNX domain. */
  readonly domain: string
  readonly name: string
  /** '' stands for an optional input or output that is left out. */
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: Readonly<Record<string, OnnxAttribute>>
}

export interface OnnxValue {
  readonly name: string
  readonly dtype: DType
  /** A string is a named, unknown size; absent when the file does not say. */
  readonly shape?: readonly (number | string)[]
}

export interface OnnxModel {
  readonly irVersion: number
  readonly producer: string
  readonly opsets: readonly { readonly domain: string; readonly version: number }[]
  readonly graph: {
    readonly name: string
    readonly nodes: readonly OnnxNode[]
    readonly initializers: ReadonlyMap<string, Tensor>
    readonly inputs: readonly OnnxValue[]
    readonly outputs: readonly OnnxValue[]
  }
}
