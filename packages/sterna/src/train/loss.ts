/** Losses over logits, as graph for training and as plain numbers for evaluation. */
import type { GraphBuilder, Value } from '../graph/index.ts'

/**
 * 'cross-entropy' of the softmax; 'hinge' and 'squared-hinge' one against all, summed over classes:
 * E = (1/N) Σ_n Σ_k max(0, 1 − s_nk·z_nk)^p with s = +1 for the true class, −1 otherwise, p = 1 or 2
 * (the SVM head of the TWN paper's LeNet-5).
 */
export type LossName = 'cross-entropy' | 'hinge' | 'squared-hinge'

export const lossNames: readonly LossName[] = ['cross-entropy', 'hinge', 'squared-hinge']

/** The mean loss of a batch, shape []. logits and oneHot: [N, K]. */
export function buildLoss(b: GraphBuilder, name: LossName, logits: Value, oneHot: Value): Value {
  const perBatch = 1 / logits.shape[0]!
  switch (name) {
    case 'cross-entropy': {
      const logProbability = b.op('LogSoftmax', [logits], { axis: 1 })
      return b.mul(b.sum(b.mul(logProbability, oneHot)), -perBatch)
    }
    case 'hinge':
    case 'squared-hinge': {
      const sign = b.sub(b.mul(oneHot, 2), 1)
      const margin = b.relu(b.sub(1, b.mul(sign, logits)))
      return b.mul(b.sum(name === 'hinge' ? margin : b.mul(margin, margin)), perBatch)
    }
    default:
      return name satisfies never
  }
}

/** The loss of one image's logits [K]. */
export function exampleLoss(name: LossName, logits: ArrayLike<number>, label: number): number {
  let total = 0
  if (name === 'cross-entropy') {
    let highest = Number.NEGATIVE_INFINITY
    for (let k = 0; k < logits.length; k++) highest = Math.max(highest, logits[k]!)
    for (let k = 0; k < logits.length; k++) total += Math.exp(logits[k]! - highest)
    return Math.log(total) + highest - logits[label]!
  }
  for (let k = 0; k < logits.length; k++) {
    const margin = Math.max(0, 1 - (k === label ? logits[k]! : -logits[k]!))
    total += name === 'hinge' ? margin : margin * margin
  }
  return total
}
