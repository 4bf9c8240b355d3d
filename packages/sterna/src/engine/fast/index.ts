/**
 * The fast lowering for CPUs: feature maps in blocks of samples and channels, convolutions and sums by ONNX Runtime's
 * blocked kernels (domain com.microsoft.nchwc), weights and optimiser tensors kept in the order these read. What has no
 * blocked form, or a slower one, is left to the standard operators, with conversions where the two meet.
 */
import type { GraphNode, OperatorName } from '../../graph/index.ts'
import { finishModel } from '../lowered-model.ts'
import type { LoweredProgram, Lowering } from '../lowering.ts'
import { OnnxEmitter } from '../onnx-emitter.ts'
import { emitStandard } from '../standard/index.ts'
import type { Fallback, Program } from '../types.ts'
import { assignLayouts, isElementwise, isRenaming, type Layouts } from './assign-layouts.ts'
import { batchNorm } from './batch-norm.ts'
import { BlockedEmission, type BlockedRule, type BlockedRules, nchwcDomain } from './blocked-emission.ts'
import { convolution } from './convolution.ts'
import { DecayFusion } from './decay-fusion.ts'
import { emitElementwise, emitRenaming, orderless } from './elementwise.ts'
import { Fusion } from './fusion.ts'
import { moves } from './moves.ts'
import { pooling } from './pooling.ts'
import { recomputeMaps } from './recomputation.ts'

const rules: BlockedRules = {
  ...orderless,
  ...batchNorm,
  ...convolution,
  ...moves,
  ...pooling,
  ReduceSum: (emission, node) => pooling.ReduceSum(emission, node) || orderless.ReduceSum(emission, node),
}

const defaultLeastRecomputed = 0x100_0000

/**
 * `block`: channels in a block of this machine's kernels. Normalized maps of `leastRecomputed` bytes and more are not
 * held for the gradient but computed again.
 */
export function createFastLowering(block: number, leastRecomputed = defaultLeastRecomputed): Lowering {
  return { name: 'fast', lower: program => lower(program, block, leastRecomputed) }
}

function lower(program: Program, block: number, leastRecomputed: number): LoweredProgram {
  const { graph } = program
  const layouts = assignLayouts(program, block)
  const e = new OnnxEmitter()
  for (const [name, value] of graph.constants) e.define(name, value)
  const emission = new BlockedEmission(e, graph, block, layouts)
  const kept = new Set([...graph.outputs, ...program.state.values()])
  const fusions = [new Fusion(emission, graph, kept), new DecayFusion(emission, graph, kept)]
  const fallbacks: Fallback[] = []
  for (const node of graph.nodes) {
    if (fusions.some(fusion => fusion.emit(node)) || emitBlocked(emission, node)) continue
    const reason = whyStandard(node, layouts)
    if (reason !== undefined) fallbacks.push({ node: node.name, reason })
    const names = node.inputs.map(input => emission.plain(input))
    emitStandard(e, graph, node, 'cpu', names)
    for (const output of node.outputs) emission.definePlain(output)
  }
  const lowered = finishModel(e, program, {
    domains: [nchwcDomain],
    orders: new Map(
      graph.parameters.flatMap(({ name }) => {
        const order = layouts.weights.get(name)
        return order === undefined ? [] : [[name, order] as const]
      }),
    ),
    outputName: name => emission.plain(name),
    stateName: (parameter, output) => {
      const order = layouts.weights.get(parameter)
      return order === undefined ? emission.plain(output) : emission.weight(output, order)
    },
  })
  return { ...recomputeMaps(lowered, emission.cheap, leastRecomputed), fallbacks }
}

/** Of convolutions and their gradients. A convolution that has no blocked form speaks for its gradients. */
function whyStandard(node: GraphNode, { reasons, convolutions }: Layouts): string | undefined {
  if (node.op === 'Conv') return reasons.get(node.name)
  const plan = convolutions.get(node.name)
  if (plan === undefined) return undefined
  if (node.op === 'ConvInputGradient') return 'pads wider than the kernel'
  return plan.groups > 1 ? 'a gradient over groups' : 'a gradient over dilations'
}

function emitBlocked(emission: BlockedEmission, node: GraphNode): boolean {
  if (isElementwise(node.op)) return emitElementwise(emission, node)
  if (isRenaming(node.op)) return emitRenaming(emission, node)
  const rule = rules[node.op] as BlockedRule<OperatorName> | undefined
  return rule?.(emission, node) ?? false
}
