package x86

import (
	"encoding/binary"

	"github.com/mmcloughlin/avo/operand"

	"github.com/lowbit-go/lowbit/gen/plan"
)

// Three times the strides.
const toThree, fromThree = plan.BehindPassing, plan.BehindPassing + 1

// transposeMasks is the first register with a mask of an exchange.
const transposeMasks = 10

// BeginSquares multiplies the strides, and loads masks.
func (m *Machine) BeginSquares(bits int) {
	three := func(d, stride plan.GPR) {
		m.i("LEAQ", operand.Mem{Base: gprs[stride], Index: gprs[stride], Scale: 2}, gprs[d])
	}
	three(toThree, plan.ToStride)
	three(fromThree, plan.FromStride)
	if bits == 4 {
		for i, x := range plan.Exchanges {
			m.i("VPBROADCASTD", m.constant(string(binary.LittleEndian.AppendUint32(nil, x.Lower))), m.vec(transposeMasks+i))
		}
	}
}

// Square transposes words or nibbles.
func (m *Machine) Square(bits int) {
	if bits == 4 {
		m.transposeNibbles()
	} else {
		m.transposeWords(bits)
	}
}

// rows calls do for rows that lie a stride apart, from where p points on; it moves p behind them.
func (m *Machine) rows(count int, p, stride, three plan.GPR, do func(i int, at operand.Mem)) {
	for i := range count {
		at := operand.Mem{Base: gprs[p]}
		if i%4 > 0 {
			at.Index, at.Scale = gprs[stride], uint8(i%4)
		}
		if i%4 == 3 {
			at.Index, at.Scale = gprs[three], 1
		}
		do(i, at)
		if i%4 == 3 {
			m.i("LEAQ", operand.Mem{Base: gprs[p], Index: gprs[stride], Scale: 4}, gprs[p])
		}
	}
}

// transposeWords: each 128 bits of a register have elements of another row. The rows whose elements become neighbours are in the same bits of
// other registers, which exchange them.
func (m *Machine) transposeWords(bits int) {
	high := 128 / bits
	m.Move(plan.Passing, plan.FromRow)
	m.rows(high*m.Width()/4, plan.Passing, plan.FromStride, fromThree, func(i int, at operand.Mem) {
		lane, r := i/high, i%high
		switch {
		case lane == 0:
			m.i("VMOVUPS", at, xs[r])
		case m.wide:
			m.i("VINSERTI32X4", operand.Imm(uint64(lane)), at, m.vec(r), m.vec(r))
		default:
			m.i("VINSERTI128", operand.Imm(uint64(lane)), at, m.vec(r), m.vec(r))
		}
	})
	kind := map[int]string{16: "WD", 32: "DQ"}[bits]
	var x []int
	for i := range high + 1 {
		x = append(x, i)
	}
	for side := 1; side < high; side *= 2 {
		var y []int
		spare := x[high]
		for i := range high / 2 {
			a, b := x[i], x[i+high/2]
			m.i("VPUNPCKL"+kind, m.vec(b), m.vec(a), m.vec(spare))
			m.i("VPUNPCKH"+kind, m.vec(b), m.vec(a), m.vec(b))
			y = append(y, spare, b)
			spare = a
		}
		x = append(y, spare)
	}
	m.rows(high, plan.ToRow, plan.ToStride, toThree, func(i int, at operand.Mem) { m.i("VMOVUPS", m.vec(x[i]), at) })
	m.AddImm(plan.FromRow, 16)
}

// transposeNibbles exchanges halves, quarters and eighths of words.
func (m *Machine) transposeNibbles() {
	const moved, other = 8, 9
	m.rows(8, plan.FromRow, plan.FromStride, fromThree, func(i int, at operand.Mem) { m.i("VMOVUPS", at, m.vec(i)) })
	for i, x := range plan.Exchanges {
		mask, shift := m.vec(transposeMasks+i), operand.Imm(uint64(x.Bits))
		for a, b := range x.Pairs() {
			lower, upper := m.vec(a), m.vec(b)
			m.i("VPSRLD", shift, lower, m.vec(moved))
			if m.wide { // where the mask has bits: what has moved down, and what stays
				m.i("VPSLLD", shift, upper, m.vec(other))
				m.i("VPTERNLOGD", operand.U8(0xd8), mask, m.vec(moved), upper)
				m.i("VPTERNLOGD", operand.U8(0xe4), mask, m.vec(other), lower)
				continue
			}
			m.i("VPXOR", upper, m.vec(moved), m.vec(moved))
			m.i("VPAND", mask, m.vec(moved), m.vec(moved))
			m.i("VPXOR", m.vec(moved), upper, upper)
			m.i("VPSLLD", shift, m.vec(moved), m.vec(moved))
			m.i("VPXOR", m.vec(moved), lower, lower)
		}
	}
	m.Move(plan.Passing, plan.ToRow)
	m.rows(8, plan.Passing, plan.ToStride, toThree, func(i int, at operand.Mem) { m.i("VMOVUPS", m.vec(i), at) })
	m.Add(plan.ToRow, plan.FromStride)
}
