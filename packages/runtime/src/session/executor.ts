/** Takes the memory a plan asks for and turns its steps into calls. */
import { SternaError } from '../errors.ts'
import { type ByteValues, runByteStep, runNode, type View, widenTensor } from '../kernels/reference/index.ts'
import { bindKernels } from '../kernels/wasm/index.ts'
import type { Plan, PlannedStep } from '../plan/plan.ts'
import { sizeOf } from '../plan/shape.ts'

export interface Executor {
  readonly plan: Plan
  /** The numbers of an input, for writing before a run, or of an output, for reading after it. */
  value(name: string): Float32Array
  /** Runs one image. */
  run(): void
}

type Call = () => void

export async function createExecutor(plan: Plan): Promise<Executor> {
  const memory = takeMemory(plan)
  const { buffer } = memory
  const views = new Map<string, View>()
  const viewOf = (name: string): View => {
    let view = views.get(name)
    if (view === undefined) {
      const shape = plan.shapes.get(name)!
      const tensor = plan.model.tensors.get(name)
      const data =
        tensor === undefined
          ? new Float32Array(buffer, plan.addresses.get(name)!, sizeOf(shape))
          : widenTensor(tensor)
      view = { shape, data }
      views.set(name, view)
    }
    return view
  }
  const bytes = new Map<string, Uint8Array>()
  const byteValues: ByteValues = {
    shape: value => plan.shapes.get(value)!,
    numbers: value => viewOf(value).data,
    bytes(value) {
      const known = bytes.get(value) ?? new Uint8Array(sizeOf(plan.shapes.get(value)!))
      bytes.set(value, known)
      return known
    },
  }
  const bound = 'grow' in memory ? await bindKernels(plan, memory) : undefined
  const calls = plan.steps.flatMap((planned): Call[] => {
    if (planned.kernel.name === 'alias') return []
    return [bound?.get(planned) ?? referenceCall(planned, viewOf, byteValues)]
  })
  return {
    plan,
    value: name => viewOf(name).data,
    run() {
      for (const call of calls) call()
    },
  }
}

function referenceCall({ step }: PlannedStep, viewOf: (name: string) => View, values: ByteValues): Call {
  if (step.kind === 'bytes') return () => runByteStep(step, values)
  const { node, output } = step
  const inputs = node.inputs.map(viewOf)
  const target = viewOf(output)
  return () => runNode(node, inputs, target)
}

function takeMemory({ model, kernels, memory }: Plan): WebAssembly.Memory | { readonly buffer: ArrayBuffer } {
  const pageBytes = 65_536
  const pages = Math.ceil(memory.totalBytes / pageBytes)
  try {
    if (kernels.name === 'simd128') return new WebAssembly.Memory({ initial: pages, maximum: pages })
    return { buffer: new ArrayBuffer(pages * pageBytes) }
  } catch (cause) {
    throw new SternaError(
      'engine/unavailable',
      `${model.name}: this host refuses the ${memory.totalBytes} bytes of memory the model needs`,
      { cause },
    )
  }
}
