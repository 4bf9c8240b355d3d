/**
 * A packed network as one WebAssembly module: the kernels that the planner chose for it, its weights, coded, and the
 * sequence of calls. Nothing is planned, read or written when it is used: instantiating it decodes the weights, `run`
 * computes one image.
 */
import type { LoadOptions, ModelDescription, PackedModel } from 'sterna-runtime'
import {
  assembleProgram,
  type CompiledNote,
  compiledNoteName,
  compiledNoteVersion,
  recordModel,
  ternaryRegions,
} from 'sterna-runtime/compile'
import { SternaError } from '../../core/index.ts'
import { codeRegions } from './code-regions.ts'
import { emitLoad } from './emit-load.ts'
import { emitRun } from './emit-run.ts'
import { planLiterals } from './plan-literals.ts'
import { planScratch } from './scratch.ts'

export interface WasmExport {
  readonly bytes: Uint8Array
  /** How many of them go where. */
  readonly parts: {
    /** Coded levels of ternary layers. */
    readonly levels: number
    /** Everything else that lies in memory at the start: magnitudes, biases, layers that are not ternary, masks. */
    readonly data: number
    /** Functions, and what says where inputs and outputs lie. */
    readonly code: number
  }
  /** What an instance takes. */
  readonly memoryBytes: number
  readonly description: ModelDescription
}

const pageBytes = 0x1_0000

/**
 * @throws SternaError as `recordModel` does, `engine/unavailable` where the network makes a module beyond what engines
 *   take, `internal` where an instance's memory is not what a session's is
 */
export async function exportWasm(
  model: PackedModel,
  options: Pick<LoadOptions, 'arithmetic'> = {},
): Promise<WasmExport> {
  const { plan, image, functions, calls, inputs, outputs, metadata } = await recordModel(model, options)
  const { regions, strings } = codeRegions(ternaryRegions(plan))
  const scratch = planScratch(image.length, regions)
  const { segments, fills } = planLiterals(image, regions)
  const called = new Set(calls.map(({ name }) => name))
  const all = [
    ...emitLoad('load', regions, fills, scratch),
    ...functions.filter(({ name }) => called.has(name)),
  ]
  all.push(emitRun('run', calls, all))
  const note: CompiledNote = {
    version: compiledNoteVersion,
    name: model.name,
    arithmetic: plan.description.arithmetic,
    inputs,
    outputs,
    metadata,
  }
  const pages = Math.ceil(scratch.end / pageBytes)
  const bytes = assembleProgram({
    functions: all,
    exported: ['run'],
    start: 'load',
    pages,
    passive: strings,
    segments,
    note: { name: compiledNoteName, bytes: new TextEncoder().encode(JSON.stringify(note)) },
  })
  await verify(bytes, image)
  const [levels, data] = [strings.length, segments.reduce((sum, segment) => sum + segment.bytes.length, 0)]
  return {
    bytes,
    parts: { levels, data, code: bytes.length - levels - data },
    memoryBytes: pages * pageBytes,
    description: plan.description,
  }
}

/** What an instance makes of its coded weights has to be what the planner's kernels were given, byte for byte. */
async function verify(bytes: Uint8Array<ArrayBuffer>, image: Uint8Array): Promise<void> {
  const { exports } = await instantiate(bytes)
  const made = new Uint8Array((exports.memory as WebAssembly.Memory).buffer)
  const wrong = image.findIndex((byte, address) => made[address] !== byte)
  if (wrong === -1) return
  throw new SternaError(
    'internal',
    `the module has ${made[wrong]} at ${wrong} of its memory, not ${image[wrong]}`,
  )
}

async function instantiate(bytes: Uint8Array<ArrayBuffer>): Promise<WebAssembly.Instance> {
  try {
    return (await WebAssembly.instantiate(bytes)).instance
  } catch (cause) {
    throw new SternaError(
      'engine/unavailable',
      `this host refuses the module, of ${bytes.length} bytes: ${(cause as Error).message}`,
      { cause },
    )
  }
}
