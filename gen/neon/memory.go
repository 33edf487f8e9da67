package neon

import (
	"fmt"

	"github.com/lowbit-go/lowbit/gen/ir"
	"github.com/lowbit-go/lowbit/gen/neon/asm"
	"github.com/lowbit-go/lowbit/gen/plan"
)

// load widens one slot of a stream, four elements, to 32-bit lanes. Elements that a
// register holds together are loaded together, and widened together as far as can be.
func (m *Machine) load(s *plan.Seg, n *ir.Node, slot int, args [][]plan.V, at plan.Addr) plan.V {
	size := asm.Q
	switch n.Mem {
	case ir.MemE2M1, ir.MemU4:
		size = asm.D
	case ir.MemU2:
		size = asm.S
	case ir.MemU6:
		return m.loadSixes(s, args, at)
	case ir.MemBits:
		return m.loadBits(s, n, slot, args, at)
	case ir.MemNarrow:
		return m.loadNarrow(s, n, slot, at)
	case ir.MemCodes:
		return m.loadCodes(s, n, slot, args, at)
	}
	bytes := 1 << size
	off := at.Disp % bytes
	at.Disp -= off
	// stage is a step of widening; the offset in the register tells which half of what is there is wanted
	stage := 0
	once := func(part int, f func() plan.V) plan.V {
		stage++
		return s.Once(n, 8*(at.Disp/bytes*8+stage)+part, f)
	}
	raw := once(0, func() plan.V {
		return s.Op(plan.Vec, func(d int, _ []int) { m.LDR(size, asm.V(d), m.mem(at)) })
	})
	half := func(bytes int, lo, hi func(asm.Size, asm.V, asm.V), wide asm.Size, v plan.V) plan.V {
		part := off / bytes
		return once(part, func() plan.V {
			f := lo
			if part%2 == 1 {
				f = hi
			}
			return m.unary(s, func(d, a asm.V) { f(wide, d, a) }, v)
		})
	}
	widen := func(bytes int, v plan.V) plan.V { // float16
		return half(bytes, func(_ asm.Size, d, a asm.V) { m.FCVTL(d, a) }, func(_ asm.Size, d, a asm.V) { m.FCVTL2(d, a) }, asm.S, v)
	}
	args = args[len(n.Args):]
	if bits := n.Mem.Bits(); bits < 8 {
		off *= 8 / bits
		packed := raw
		raw = once(0, func() plan.V { return m.bytesOf(s, packed, bits, args[0][0]) })
	}
	switch n.Mem {
	case ir.MemF32, ir.MemI32, ir.MemI16, ir.MemByte, ir.MemU4, ir.MemU2:
		return raw
	case ir.MemF16:
		return widen(8, raw)
	case ir.MemU16:
		return half(8, m.UXTL, m.UXTL2, asm.S, raw)
	case ir.MemBF16:
		return half(8, m.SHLL, m.SHLL2, asm.S, raw)
	case ir.MemI8:
		return half(4, m.SXTL, m.SXTL2, asm.S, half(8, m.SXTL, m.SXTL2, asm.H, raw))
	case ir.MemU8:
		words := half(8, m.UXTL, m.UXTL2, asm.H, raw)
		switch n.Type {
		case ir.I16:
			return words
		case ir.F32:
			return m.floatOfBytes(s, slot, words, args)
		}
		return half(4, m.UXTL, m.UXTL2, asm.S, words)
	case ir.MemE5M2: // the upper half of a float16
		return widen(4, half(8, m.SHLL, m.SHLL2, asm.H, raw))
	case ir.MemE4M3: // exponent and mantissa put where float16 has them
		h := half(8, m.SXTL, m.SXTL2, asm.H, raw)
		return widen(4, once(off/8, func() plan.V {
			return m.binary(s, m.AND, m.unary(s, func(d, a asm.V) { m.SHL(asm.H, d, a, 7) }, h), args[0][0])
		}))
	case ir.MemE2M1: // each to the high byte of its value as float16
		high := once(0, func() plan.V { return m.binary(s, func(d, a, b asm.V) { m.TBL(d, b, 1, a) }, raw, args[1][0]) })
		return widen(4, half(8, m.SHLL, m.SHLL2, asm.H, high))
	}
	panic(fmt.Sprintf("neon: cannot load memory type %d", n.Mem))
}

// bytesOf spreads codes of fewer bits over bytes: what a shift brings down goes between what was there, and the low bits are kept.
func (m *Machine) bytesOf(s *plan.Seg, v plan.V, bits int, kept plan.V) plan.V {
	for shift := 4; shift >= bits; shift /= 2 {
		v = m.binary(s, sized(asm.B, m.ZIP1), v, m.unary(s, func(d, a asm.V) { m.USHR(asm.B, d, a, shift) }, v))
	}
	return m.binary(s, m.AND, v, kept)
}

// floatOfBytes makes a slot's numbers of those of 16 bits, a register for two slots: these become the last bits of 2^23, which is then
// taken away, with more if more was added. That is shorter than to widen them and to convert them.
func (m *Machine) floatOfBytes(s *plan.Seg, slot int, h plan.V, args [][]plan.V) plan.V {
	zip := sized(asm.H, m.ZIP1)
	if slot%2 == 1 {
		zip = sized(asm.H, m.ZIP2)
	}
	return m.binary(s, m.FSUB, m.binary(s, zip, h, args[0][0]), args[1][0])
}

// loadBits makes a mask of a slot's bits, of which lanes of 16 bits have all of a byte and others half of one.
func (m *Machine) loadBits(s *plan.Seg, n *ir.Node, slot int, args [][]plan.V, at plan.Addr) plan.V {
	size, mine := asm.S, args[slot%len(args)][0]
	if n.Type == ir.Mask16 {
		size = asm.H
	}
	all := s.Once(n, at.Disp, func() plan.V {
		return s.Op(plan.Vec, func(d int, _ []int) {
			m.XLDR(asm.B, r0, m.mem(at))
			m.DUPX(size, asm.V(d), r0)
		})
	})
	return m.binary(s, sized(size, m.CMTST), all, mine)
}

// store writes one slot of a stream, or bits of a whole tile.
func (m *Machine) store(s *plan.Seg, n *ir.Node, args [][]plan.V, at plan.Addr) {
	v := args[0]
	put := func(size asm.Size, v plan.V) {
		at := at
		s.Add(plan.Inst{Uses: []plan.V{v}, Emit: func(_, u []int) { m.STR(size, m.mem(at), asm.V(u[0])) }})
	}
	switch n.Mem {
	case ir.MemF32, ir.MemI32, ir.MemI16, ir.MemI8, ir.MemU8, ir.MemByte:
		put(asm.Q, v[0])
	case ir.MemF16: // two of them together
		off := at.Disp % 16
		at.Disp -= off
		upward, x := ir.Of(n).Upward, v[0]
		if upward { // what is too low would be the least finite number: magnitudes are converted
			x = m.unary(s, m.FABS, v[0])
		}
		first := s.Once(n, at.Disp+1, func() plan.V { return v[0] })
		h := s.Once(n, at.Disp, func() plan.V { return m.unary(s, m.FCVTN, x) })
		if off > 0 {
			s.Add(plan.Inst{Defs: []plan.V{h}, Uses: []plan.V{h, x}, Emit: func(d, u []int) { m.FCVTN2(asm.V(d[0]), asm.V(u[1])) }})
			if upward {
				signs := m.unary(s, func(d, a asm.V) { m.USHR(asm.H, d, a, 15) }, m.binary(s, sized(asm.H, m.UZP2), first, v[0]))
				s.Add(plan.Inst{Defs: []plan.V{h}, Uses: []plan.V{h, signs}, Emit: func(d, u []int) { m.SLI(asm.H, asm.V(d[0]), asm.V(u[1]), 15) }})
			}
			put(asm.Q, h)
		}
	case ir.MemU16:
		put(asm.Q, m.binary(s, sized(asm.H, m.UZP1), v[0], v[1]))
	case ir.MemBF16: // add just below half of the last place kept, and one more if its last bit is set
		var add [2]plan.V
		for i := range add {
			add[i] = m.binary(s, sized(asm.S, m.SUB), args[2][0], m.binary(s, sized(asm.S, m.CMTST), v[i], args[1][0]))
		}
		h := m.binary(s, sized(asm.S, m.ADDHN), v[0], add[0])
		s.Add(plan.Inst{Defs: []plan.V{h}, Uses: []plan.V{h, v[1], add[1]}, Emit: func(d, u []int) { m.ADDHN2(asm.S, asm.V(d[0]), asm.V(u[1]), asm.V(u[2])) }})
		put(asm.Q, h)
	case ir.MemNarrow:
		m.storeNarrow(s, n, args, at)
	case ir.MemU6:
		m.storeSixes(s, v[0], args[1][0], at)
	case ir.MemU4, ir.MemE2M1:
		put(asm.D, m.join(s, v[0], 4))
	case ir.MemU2:
		put(asm.S, m.join(s, m.join(s, v[0], 2), 4))
	case ir.MemBits: // each byte keeps a bit of its own; three sums of pairs join them
		b := m.binary(s, m.AND, m.signBytes(s, v), args[1][0])
		for range 3 {
			b = m.unary(s, func(d, a asm.V) { m.ADDP(asm.B, d, a, a) }, b)
		}
		put(asm.H, b)
	case ir.MemMask:
		m.storeMask(s, n, args, at)
	case ir.MemCodes:
		m.storeCodes(s, n, args, at)
	case ir.MemFloat:
		m.storeFloat(s, n, args, at)
	default:
		panic(fmt.Sprintf("neon: cannot store memory type %d", n.Mem))
	}
}

// storeMask compares, and stores the mask of the kind that a word says, and brings
// the pointer behind it.
func (m *Machine) storeMask(s *plan.Seg, n *ir.Node, args [][]plan.V, at plan.Addr) {
	a, b, equal := args[0], args[1], sized(asm.S, m.CMEQ)
	switch n.Equality() {
	case ir.OpEq:
		equal = m.FCMEQ
	case ir.OpInside:
		b = args[3]
	}
	temps := []plan.V{s.New(plan.Vec), s.New(plan.Vec), s.New(plan.Vec)}
	uses := append(append([]plan.V{args[2][0]}, a...), b...)
	s.Add(plan.Inst{Defs: temps, Uses: uses, Apart: true, Emit: func(d, u []int) {
		lower, upper, t := asm.V(d[0]), asm.V(d[1]), asm.V(d[2])
		m.maskKind(s, n.Kind, func() {
			for pair, to := range []asm.V{lower, upper} {
				equal(to, asm.V(u[1+2*pair]), asm.V(u[5+2*pair]))
				equal(t, asm.V(u[2+2*pair]), asm.V(u[6+2*pair]))
				m.UZP1(asm.H, to, to, t)
			}
			m.UZP1(asm.B, lower, lower, upper)
		}, func(bits int) {
			size := asm.Q
			if bits == 1 { // as of MemBits
				size = asm.H
				m.AND(lower, lower, asm.V(u[0]))
				for range 3 {
					m.ADDP(asm.B, lower, lower, lower)
				}
			} else {
				m.USHR(asm.B, lower, lower, 7)
			}
			m.STR(size, m.mem(at), lower)
			m.AddImm(at.Reg, 16*bits/8)
		})
	}})
}

// join puts of each two bytes so many low bits together, and what is above the second's above them.
func (m *Machine) join(s *plan.Seg, v plan.V, bits int) plan.V {
	even, odd := s.New(plan.Vec), s.New(plan.Vec)
	s.Add(plan.Inst{Defs: []plan.V{even, odd}, Uses: []plan.V{v}, Apart: true, Emit: func(d, u []int) {
		m.pairs(asm.V(u[0]), asm.V(d[0]), asm.V(d[1]), bits)
	}})
	return even
}

// pairs joins the bytes of v in even.
func (m *Machine) pairs(v, even, odd asm.V, bits int) {
	m.UZP2(asm.B, odd, v, v)
	m.UZP1(asm.B, even, v, v)
	m.SLI(asm.B, even, odd, bits)
}
