/** The layers with weights of a packed network, each as a network of its own. */
import { describeModel, type PackedModel, type PackedNode, type PackedTensor } from 'sterna-runtime'

export interface CutLayer {
  readonly name: string
  /** `64→64 3×3 on 32×32` or `512→10`. */
  readonly geometry: string
  readonly zeros: number
  readonly weights: number
  /** The kernel and why it was chosen. */
  readonly kernel: string
  readonly reason: string
  readonly packed: PackedModel
}

const linear: ReadonlySet<string> = new Set(['Conv', 'Gemm', 'MatMul'])

/** A layer keeps its bias and the ReLU or clip right behind it; what else is fused in the network is left out. */
export async function cutLayers(packed: PackedModel): Promise<readonly CutLayer[]> {
  const { layers } = await describeModel(packed)
  const described = new Map(layers.map(layer => [layer.name, layer]))
  const cuts: CutLayer[] = []
  for (const node of packed.nodes) {
    const layer = described.get(node.name)
    const weight = linear.has(node.op) ? packed.tensors.get(node.inputs[1]!) : undefined
    if (layer === undefined || weight === undefined) continue
    const nodes = [node, ...followingClip(packed, node)]
    const cut: PackedModel = {
      ...packed,
      name: node.name,
      inputs: [{ name: node.inputs[0]!, shape: layer.inputShape }],
      outputs: [nodes.at(-1)!.outputs[0]!],
      nodes,
      tensors: new Map(node.inputs.slice(1).map(name => [name, packed.tensors.get(name)!])),
    }
    const [alone] = (await describeModel(cut)).layers
    cuts.push({
      name: node.name,
      geometry: describeGeometry(node, weight, layer.outputShape),
      zeros: layer.zeros,
      weights: layer.weights,
      kernel: alone!.kernel,
      reason: alone!.reason,
      packed: cut,
    })
  }
  return cuts
}

function followingClip({ nodes, outputs }: PackedModel, { outputs: [output] }: PackedNode): PackedNode[] {
  const readers = nodes.filter(({ inputs }) => inputs.includes(output!))
  const isClip = readers[0]?.op === 'Relu' || readers[0]?.op === 'Clip'
  return isClip && readers.length === 1 && !outputs.includes(output!) ? [readers[0]!] : []
}

function describeGeometry(node: PackedNode, { shape }: PackedTensor, outputShape: readonly number[]): string {
  if (node.op !== 'Conv') {
    const isTurned = node.op === 'Gemm' && node.attributes.transB
    return isTurned ? `${shape[1]}→${shape[0]}` : `${shape[0]}→${shape[1]}`
  }
  const [outputs, inputs, height, width] = shape as [number, number, number, number]
  const { groups } = node.attributes
  return `${inputs * groups}→${outputs} ${height}×${width} to ${outputShape[2]}×${outputShape[3]}`
}
