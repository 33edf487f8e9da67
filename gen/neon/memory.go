package neon

import (
	"fmt"

	"github.com/lowbit-go/lowbit/gen/ir"
	"github.com/lowbit-go/lowbit/gen/neon/asm"
	"github.com/lowbit-go/lowbit/gen/plan"
)

// load widens one slot of a stream, four elements, to 32-bit lanes.
func (m *Machine) load(s *plan.Seg, n *ir.Node, slot int, args [][]plan.V, at plan.Addr) plan.V {
	raw := func(size asm.Size) plan.V {
		return s.Op(plan.Vec, func(d int, _ []int) { m.LDR(size, asm.V(d), m.mem(at)) })
	}
	shl := func(size asm.Size, v plan.V, count int) plan.V {
		return m.unary(s, func(d, a asm.V) { m.SHL(size, d, a, count) }, v)
	}
	widen := func(f func(asm.Size, asm.V, asm.V), wide asm.Size, v plan.V) plan.V {
		return m.unary(s, func(d, a asm.V) { f(wide, d, a) }, v)
	}
	switch n.Mem {
	case ir.MemF32, ir.MemI32:
		return raw(asm.Q)
	case ir.MemF16:
		return m.unary(s, m.FCVTL, raw(asm.D))
	case ir.MemBF16:
		return shl(asm.S, widen(m.UXTL, asm.S, raw(asm.D)), 16)
	case ir.MemI8:
		return widen(m.SXTL, asm.S, widen(m.SXTL, asm.H, raw(asm.S)))
	case ir.MemU8:
		return widen(m.UXTL, asm.S, widen(m.UXTL, asm.H, raw(asm.S)))
	case ir.MemE5M2: // the upper half of a float16
		return m.unary(s, m.FCVTL, shl(asm.H, widen(m.UXTL, asm.H, raw(asm.S)), 8))
	case ir.MemE4M3: // eight of them, exponent and mantissa put where float16 has them, and NaN put in
		h := m.binary(s, m.AND, shl(asm.H, widen(m.SXTL, asm.H, raw(asm.D)), 7), args[0][0])
		is := m.binary(s, sized(asm.H, m.CMEQ), m.binary(s, m.AND, h, args[1][0]), args[1][0])
		return m.binary(s, m.ORR, h, m.binary(s, m.AND, is, args[2][0]))
	case ir.MemE2M1: // two bytes to four nibbles, each to the high byte of its value as float16
		b := raw(asm.H)
		lo := m.binary(s, m.AND, b, args[1][0])
		hi := m.unary(s, func(d, a asm.V) { m.USHR(asm.B, d, a, 4) }, b)
		index := m.binary(s, sized(asm.B, m.ZIP1), lo, hi)
		high := m.binary(s, func(d, a, b asm.V) { m.TBL(d, b, 1, a) }, index, args[0][0])
		return m.unary(s, m.FCVTL, shl(asm.H, widen(m.UXTL, asm.H, high), 8))
	case ir.MemBits:
		at.Disp += slot/2 - slot*4/8
		b := s.Op(plan.Vec, func(d int, _ []int) {
			m.XLDR(asm.B, r0, m.mem(at))
			m.DUPX(asm.S, asm.V(d), r0)
		})
		return m.binary(s, sized(asm.S, m.CMTST), b, args[slot%2][0])
	}
	panic(fmt.Sprintf("neon: cannot load memory type %d", n.Mem))
}

// store writes one slot of a stream, or bits of a whole tile.
func (m *Machine) store(s *plan.Seg, n *ir.Node, args [][]plan.V, at plan.Addr) {
	v := args[0]
	put := func(size asm.Size, v plan.V) {
		s.Add(plan.Inst{Uses: []plan.V{v}, Emit: func(_, u []int) { m.STR(size, m.mem(at), asm.V(u[0])) }})
	}
	switch n.Mem {
	case ir.MemF32, ir.MemI32, ir.MemI8, ir.MemU8:
		put(asm.Q, v[0])
	case ir.MemF16:
		put(asm.D, m.unary(s, m.FCVTN, v[0]))
	case ir.MemBF16, ir.MemBF16Plain: // add just below half of the last place kept, and its last bit
		var r [2]plan.V
		for i, x := range v {
			odd := m.binary(s, m.AND, m.unary(s, func(d, a asm.V) { m.USHR(asm.S, d, a, 16) }, x), args[1][0])
			add := sized(asm.S, m.ADD)
			r[i] = m.binary(s, add, m.binary(s, add, x, odd), args[2][0])
			if n.Mem == ir.MemBF16 { // a NaN's lower bits might carry into it
				r[i] = m.choose(s, m.binary(s, m.FCMEQ, x, x), r[i], args[3][0])
			}
		}
		put(asm.Q, m.binary(s, sized(asm.H, m.UZP2), r[0], r[1]))
	case ir.MemE2M1:
		even := m.unary(s, func(d, a asm.V) { m.UZP1(asm.B, d, a, a) }, v[0])
		odd := m.unary(s, func(d, a asm.V) { m.UZP2(asm.B, d, a, a) }, v[0])
		s.Add(plan.Inst{Defs: []plan.V{even}, Uses: []plan.V{even, odd}, Emit: func(d, u []int) { m.SLI(asm.B, asm.V(d[0]), asm.V(u[1]), 4) }})
		put(asm.D, even)
	case ir.MemBits: // each byte keeps a bit of its own; three sums of pairs join them
		b := m.binary(s, m.AND, m.signBytes(s, v), args[1][0])
		for range 3 {
			b = m.unary(s, func(d, a asm.V) { m.ADDP(asm.B, d, a, a) }, b)
		}
		put(asm.H, b)
	default:
		panic(fmt.Sprintf("neon: cannot store memory type %d", n.Mem))
	}
}
