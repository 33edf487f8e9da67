package x86

import (
	"github.com/mmcloughlin/avo/operand"

	"github.com/lowbit-go/lowbit/gen/plan"
)

// The general registers of kernels that transpose: the arguments, a pointer that passes, and three times the strides.
const (
	toRow, fromRow, toStride, fromStride, squares, passing, toThree, fromThree = plan.GPR(0), plan.GPR(1), plan.GPR(2), plan.GPR(3), plan.GPR(4), plan.GPR(5), plan.GPR(6), plan.GPR(7)
)

// Transpose prints the body of a kernel that transposes elements of so many bits.
func (m *Machine) Transpose(bits int) {
	for i, name := range []string{"dst", "src", "dstStride", "srcStride", "n"} {
		m.Arg(plan.GPR(i), name)
	}
	three := func(d, stride plan.GPR) {
		m.i("LEAQ", operand.Mem{Base: gprs[stride], Index: gprs[stride], Scale: 2}, gprs[d])
	}
	three(toThree, toStride)
	three(fromThree, fromStride)
	if bits == 4 {
		m.transposeNibbles()
	} else {
		m.transposeWords()
	}
	m.AddImm(squares, -1)
	m.Branch(squares, plan.NotEqual, 0, "squares")
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

// transposeWords: each 128 bits of a register have four words of another row. The rows whose words become neighbours are in the same bits of
// other registers, which exchange them.
func (m *Machine) transposeWords() {
	m.LoopHead("squares")
	m.Move(passing, fromRow)
	m.rows(m.Width(), passing, fromStride, fromThree, func(i int, at operand.Mem) {
		lane, r := i/4, i%4
		switch {
		case lane == 0:
			m.i("VMOVUPS", at, xs[r])
		case m.wide:
			m.i("VINSERTI32X4", operand.Imm(uint64(lane)), at, m.vec(r), m.vec(r))
		default:
			m.i("VINSERTI128", operand.Imm(uint64(lane)), at, m.vec(r), m.vec(r))
		}
	})
	x := []int{0, 1, 2, 3, 4}
	for range 2 {
		var y []int
		spare := x[4]
		for i := range 2 {
			a, b := x[i], x[i+2]
			m.i("VPUNPCKLDQ", m.vec(b), m.vec(a), m.vec(spare))
			m.i("VPUNPCKHDQ", m.vec(b), m.vec(a), m.vec(b))
			y = append(y, spare, b)
			spare = a
		}
		x = append(y, spare)
	}
	m.rows(4, toRow, toStride, toThree, func(i int, at operand.Mem) { m.i("VMOVUPS", m.vec(x[i]), at) })
	m.AddImm(fromRow, 16)
}

// transposeNibbles exchanges halves, quarters and eighths of words.
func (m *Machine) transposeNibbles() {
	const moved, other, masks = 8, 9, 10
	stages := []struct {
		shift uint64
		low   string
	}{{16, "\xff\xff\x00\x00"}, {8, "\xff\x00\xff\x00"}, {4, "\x0f\x0f\x0f\x0f"}}
	for i, stage := range stages {
		m.i("VPBROADCASTD", m.constant(stage.low), m.vec(masks+i))
	}
	m.LoopHead("squares")
	m.rows(8, fromRow, fromStride, fromThree, func(i int, at operand.Mem) { m.i("VMOVUPS", at, m.vec(i)) })
	for i, stage := range stages {
		mask, apart := m.vec(masks+i), int(stage.shift/4)
		for a := range 8 {
			if a&apart != 0 {
				continue
			}
			lower, upper := m.vec(a), m.vec(a+apart)
			m.i("VPSRLD", operand.Imm(stage.shift), lower, m.vec(moved))
			if m.wide { // where the mask has bits: what has moved down, and what stays
				m.i("VPSLLD", operand.Imm(stage.shift), upper, m.vec(other))
				m.i("VPTERNLOGD", operand.U8(0xd8), mask, m.vec(moved), upper)
				m.i("VPTERNLOGD", operand.U8(0xe4), mask, m.vec(other), lower)
				continue
			}
			m.i("VPXOR", upper, m.vec(moved), m.vec(moved))
			m.i("VPAND", mask, m.vec(moved), m.vec(moved))
			m.i("VPXOR", m.vec(moved), upper, upper)
			m.i("VPSLLD", operand.Imm(stage.shift), m.vec(moved), m.vec(moved))
			m.i("VPXOR", m.vec(moved), lower, lower)
		}
	}
	m.Move(passing, toRow)
	m.rows(8, passing, toStride, toThree, func(i int, at operand.Mem) { m.i("VMOVUPS", m.vec(i), at) })
	m.Add(toRow, fromStride)
}
