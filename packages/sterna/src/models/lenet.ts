/** The two LeNet-5 of the literature on ternary weights; input [N, 1, 28, 28]. */
import type { Model } from '../graph/index.ts'
import { NetworkBuilder } from './network-builder.ts'

/**
 * 32-C5 + MP2 + 64-C5 + MP2 + 512-FC + 10, with batch norm and ReLU after both convolutions and the first
 * fully connected layer (TWN, arXiv 1605.04711, section 3): 582,026 weights and biases.
 */
export function lenet5(classes: number, seed: number): Model {
  const net = new NetworkBuilder('lenet5', seed, 'xavier')
  let x = net.graph.input('input', [1, 1, 28, 28])
  x = net.maxPool(
    net.relu(net.batchNorm(net.conv(x, 'conv1', 32, 5, { bias: true }), 'bn1'), 'relu1'),
    'pool1',
    2,
  )
  x = net.maxPool(
    net.relu(net.batchNorm(net.conv(x, 'conv2', 64, 5, { bias: true }), 'bn2'), 'relu2'),
    'pool2',
    2,
  )
  x = net.graph.op('Flatten', [x], { axis: 1 }, 'flatten')
  x = net.relu(net.batchNorm(net.linear(x, 'fc1', 512), 'bn3'), 'relu3')
  return net.build(net.linear(x, 'fc2', classes))
}

/** 6-C5 (padded by 2) + MP2 + 16-C5 + MP2 + 120 + 84 + 10, without batch norm: 61,706 weights and biases. */
export function lenet5Classic(classes: number, seed: number): Model {
  const net = new NetworkBuilder('lenet5-classic', seed, 'kaiming')
  let x = net.graph.input('input', [1, 1, 28, 28])
  x = net.maxPool(net.relu(net.conv(x, 'conv1', 6, 5, { pad: 2, bias: true }), 'relu1'), 'pool1', 2)
  x = net.maxPool(net.relu(net.conv(x, 'conv2', 16, 5, { bias: true }), 'relu2'), 'pool2', 2)
  x = net.graph.op('Flatten', [x], { axis: 1 }, 'flatten')
  x = net.relu(net.linear(x, 'fc1', 120), 'relu3')
  x = net.relu(net.linear(x, 'fc2', 84), 'relu4')
  return net.build(net.linear(x, 'fc3', classes))
}
