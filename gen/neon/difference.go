package neon

import (
	"github.com/lowbit-go/lowbit/gen/neon/asm"
	"github.com/lowbit-go/lowbit/gen/plan"
)

// The registers of kernels that tell how two slices differ: the sums' pairs, from the first on, and what counts equal bits.
const differenceSums, pairsOfSums = asm.V(16), 6

func (m *Machine) eachSum(do func(v asm.V, at asm.Mem)) {
	for i := range pairsOfSums {
		do(differenceSums+asm.V(i), asm.At(asm.R(plan.Differences), 16*i))
	}
}

// BeginDifference loads the sums.
func (m *Machine) BeginDifference() { m.eachSum(func(v asm.V, at asm.Mem) { m.LDR(asm.Q, v, at) }) }

// Differ takes four elements in.
func (m *Machine) Differ() {
	const a, b, left, right, noise, product asm.V = 0, 1, 2, 3, 4, 5
	const noises, lefts, rights, products, largest, equal = differenceSums, differenceSums + 1, differenceSums + 2, differenceSums + 3, differenceSums + 4, differenceSums + 5
	m.LDR(asm.Q, a, asm.At(asm.R(plan.LeftSide), 0))
	m.LDR(asm.Q, b, asm.At(asm.R(plan.RightSide), 0))
	for i, widen := range []func(d, n asm.V){m.FCVTLD, m.FCVTL2D} {
		widen(left, a)
		widen(right, b)
		m.FSUBD(noise, left, right)
		m.STR(asm.Q, asm.At(asm.R(plan.Errors), 16*i), noise)
		m.FMULD(product, left, right)
		m.FADDD(products, products, product)
		m.FABSD(product, noise)
		m.FMAXD(largest, largest, product)
		for _, s := range []struct{ v, sum asm.V }{{noise, noises}, {left, lefts}, {right, rights}} {
			m.FMULD(s.v, s.v, s.v)
			m.FADDD(s.sum, s.sum, s.v)
		}
	}
	m.CMEQ(asm.S, a, a, b)
	m.SUB(asm.S, equal, equal, a)
}

// EndDifference stores the sums.
func (m *Machine) EndDifference() { m.eachSum(func(v asm.V, at asm.Mem) { m.STR(asm.Q, at, v) }) }
