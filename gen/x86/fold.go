package x86

import (
	"github.com/mmcloughlin/avo/operand"

	"github.com/lowbit-go/lowbit/gen/ir"
	"github.com/lowbit-go/lowbit/gen/plan"
)

// FoldInit makes accumulators.
func (m *Machine) FoldInit(s *plan.Seg, n *ir.Node) []plan.V {
	if n.Op == ir.OpFoldNaN {
		if m.wide {
			return []plan.V{s.Op(plan.Mask, func(d int, _ []int) { m.i("KXORW", ks[d], ks[d], ks[d]) })}
		}
		return []plan.V{s.Op(plan.Vec, func(d int, _ []int) { m.zero(d) })}
	}
	var acc []plan.V
	for range min(m.FoldWays(), n.Args[0].Slots()) {
		acc = append(acc, s.Op(plan.Vec, func(d int, u []int) { m.i("VMOVAPS", m.vec(u[0]), m.vec(d)) }, s.Extra(n, 0)))
	}
	return acc
}

// foldName is the instruction that folds two registers.
func foldName(n *ir.Node) string {
	if n.Args[0].Type == ir.I16 {
		return map[ir.Op]string{ir.OpFoldIMax: "VPMAXSW", ir.OpFoldUMax: "VPMAXUW", ir.OpFoldUMin: "VPMINUW"}[n.Op]
	}
	return map[ir.Op]string{ir.OpFoldMin: "VMINPS", ir.OpFoldMax: "VMAXPS", ir.OpFoldIMax: "VPMAXSD", ir.OpFoldUMax: "VPMAXUD", ir.OpFoldUMin: "VPMINUD"}[n.Op]
}

// FoldStep takes in one more register of the tile; NaNs are sought in two at a time.
func (m *Machine) FoldStep(s *plan.Seg, n *ir.Node, acc []plan.V, slot int, x []plan.V) {
	if n.Op != ir.OpFoldNaN {
		a := acc[slot%len(acc)]
		s.Add(plan.Inst{Defs: []plan.V{a}, Uses: []plan.V{a, x[slot]}, Emit: func(d, u []int) { m.i(foldName(n), m.vec(u[1]), m.vec(u[0]), m.vec(d[0])) }})
		return
	}
	if slot%2 == 0 {
		return
	}
	bad := m.compare(s, 3, x[slot-1], x[slot])
	s.Add(plan.Inst{Defs: acc, Uses: []plan.V{acc[0], bad}, Emit: func(d, u []int) {
		if m.wide {
			m.i("KORW", ks[u[0]], ks[u[1]], ks[d[0]])
		} else {
			m.i("VORPS", m.vec(u[0]), m.vec(u[1]), m.vec(d[0]))
		}
	}})
}

// FoldFinish brings accumulators to one number in lane 0.
func (m *Machine) FoldFinish(s *plan.Seg, n *ir.Node, acc []plan.V) plan.V {
	if n.Op == ir.OpFoldNaN {
		return s.Op(plan.Vec, func(d int, u []int) { // all ones, a NaN, if any bit is set
			r := scratch.As32()
			if m.wide {
				m.i("KMOVW", ks[u[0]], r)
			} else {
				m.i("VMOVMSKPS", m.vec(u[0]), r)
			}
			m.i("NEGL", r)
			m.i("SBBL", r, r)
			m.i("VMOVD", r, xs[d])
		}, acc[0])
	}
	name := foldName(n)
	for len(acc) > 1 {
		h := len(acc) / 2
		for i := range h {
			acc = append(acc, m.binary(s, name, acc[i], acc[i+h]))
		}
		acc = acc[2*h:]
	}
	step := func(v plan.V, f func(d, u int)) plan.V {
		return s.OpApart(plan.Vec, func(d int, u []int) { f(d, u[0]) }, v)
	}
	v := acc[0]
	if m.wide {
		v = step(v, func(d, u int) {
			m.i("VEXTRACTF64X4", operand.Imm(1), m.vec(u), half(d))
			m.i(name, half(d), half(u), half(d))
		})
	}
	v = step(v, func(d, u int) {
		if m.wide {
			m.i("VEXTRACTF32X4", operand.Imm(1), half(u), xs[d])
		} else {
			m.i("VEXTRACTF128", operand.Imm(1), half(u), xs[d])
		}
		m.i(name, xs[d], xs[u], xs[d])
	})
	for _, shuffle := range []uint64{0x4e, 0xb1} {
		v = step(v, func(d, u int) {
			m.i("VPERMILPS", operand.Imm(shuffle), xs[u], xs[d])
			m.i(name, xs[d], xs[u], xs[d])
		})
	}
	return v
}

// FoldHalves folds the halves of each lane, to the upper one.
func (m *Machine) FoldHalves(s *plan.Seg, n *ir.Node, v plan.V) plan.V {
	shifted := func(name string, v plan.V) plan.V {
		return s.Op(plan.Vec, func(d int, u []int) { m.i(name, operand.Imm(16), m.vec(u[0]), m.vec(d)) }, v)
	}
	return shifted("VPSLLD", m.FoldPair(s, n, v, shifted("VPSRLD", v)))
}

// FoldPair folds two registers.
func (m *Machine) FoldPair(s *plan.Seg, n *ir.Node, a, b plan.V) plan.V {
	return m.binary(s, foldName(n), a, b)
}

// TreeJoin folds halves of 128-bit lanes, then the lanes in those, then halves
// of the register, then the 128-bit lanes in those. Halves are of two registers
// at once: a blend, which costs less than a shuffle, leaves one of each where it is.
func (m *Machine) TreeJoin(s *plan.Seg, n *ir.Node, level int, a, b plan.V) plan.V {
	lo, hi := s.Split(level, a, b, func() (lo, hi plan.V) {
		shuffled := func(name string, imm uint64) plan.V {
			return s.Op(plan.Vec, func(d int, u []int) { m.i(name, operand.Imm(imm), m.vec(u[1]), m.vec(u[0]), m.vec(d)) }, a, b)
		}
		name := "VSHUFPS"
		if level >= 2 {
			name = "VSHUFF32X4"
		}
		switch {
		case level%2 == 1:
			return shuffled(name, 0x88), shuffled(name, 0xdd)
		case m.wide:
			half := m.lanesMask(s, []uint32{0xcccc, 0xff00}[level/2])
			return m.choose(s, half, b, a), shuffled(name, 0x4e)
		case level == 0:
			return shuffled("VBLENDPS", 0xcc), shuffled(name, 0x4e)
		}
		return shuffled("VBLENDPS", 0xf0), shuffled("VPERM2F128", 0x21)
	})
	return m.FoldPair(s, n, lo, hi)
}

// HalfLevel is the level at which TreeJoin has groups in the halves of the register.
func (m *Machine) HalfLevel() int { return 2 }

// LoadHalves loads the halves of a register.
func (m *Machine) LoadHalves(s *plan.Seg, lo, hi plan.Addr) plan.V {
	return s.Op(plan.Vec, func(d int, _ []int) {
		m.i("VMOVUPS", m.mem(lo, 0), m.narrow(d))
		if m.wide {
			m.i("VINSERTF64X4", operand.Imm(1), m.mem(hi, 0), m.vec(d), m.vec(d))
		} else {
			m.i("VINSERTF128", operand.Imm(1), m.mem(hi, 0), m.vec(d), m.vec(d))
		}
	})
}

// lanesMask is a constant of lanes.
func (m *Machine) lanesMask(s *plan.Seg, lanes uint32) plan.V {
	k, _ := s.Split(-1, plan.V(lanes), 0, func() (k, _ plan.V) {
		return s.Op(plan.Mask, func(d int, _ []int) {
			m.i("MOVL", operand.U32(lanes), scratch.As32())
			m.i("KMOVW", scratch.As32(), ks[d])
		}), 0
	})
	return k
}

// FoldAlarm jumps if a FoldNaN's accumulator has a bit.
func (m *Machine) FoldAlarm(s *plan.Seg, acc []plan.V, label string) {
	s.Add(plan.Inst{Uses: acc, Emit: func(_, u []int) {
		if m.wide {
			m.i("KORTESTW", ks[u[0]], ks[u[0]])
		} else {
			m.i("VMOVMSKPS", m.vec(u[0]), scratch.As32())
			m.i("TESTL", scratch.As32(), scratch.As32())
		}
		m.i("JNE", operand.LabelRef(label))
	}})
}

// Zero clears a register.
func (m *Machine) Zero(s *plan.Seg) plan.V {
	return s.Op(plan.Vec, func(d int, _ []int) { m.zero(d) })
}

// Copy is d = v.
func (m *Machine) Copy(d, v plan.V) plan.Inst {
	return plan.Inst{Defs: []plan.V{d}, Uses: []plan.V{v}, Emit: func(d, u []int) { m.i("VMOVAPS", m.vec(u[0]), m.vec(d[0])) }}
}
