package neon

import (
	"github.com/lowbit-go/lowbit/gen/ir"
	"github.com/lowbit-go/lowbit/gen/neon/asm"
	"github.com/lowbit-go/lowbit/gen/plan"
)

// FoldInit makes accumulators. FMIN and FMAX let NaN through by themselves.
func (m *Machine) FoldInit(s *plan.Seg, n *ir.Node) []plan.V {
	if n.Op == ir.OpFoldNaN {
		return nil
	}
	var acc []plan.V
	for range min(m.FoldWays(), n.Args[0].Slots()) {
		acc = append(acc, m.unary(s, m.MOV, s.Extra(n, 0)))
	}
	return acc
}

// fold is the instruction that folds two registers, and the one that folds
// neighbouring lanes, of the first and then of the second.
func (m *Machine) fold(n *ir.Node) (two, neighbours emit2) {
	size := lane(n.Args[0].Type)
	switch n.Op {
	case ir.OpFoldMin:
		return m.FMIN, m.FMINP
	case ir.OpFoldMax:
		return m.FMAX, m.FMAXP
	case ir.OpFoldIMax:
		return sized(size, m.SMAX), sized(size, m.SMAXP)
	case ir.OpFoldUMax:
		return sized(size, m.UMAX), sized(size, m.UMAXP)
	}
	return sized(size, m.UMIN), sized(size, m.UMINP)
}

// FoldStep takes in one more register of the tile.
func (m *Machine) FoldStep(s *plan.Seg, n *ir.Node, acc []plan.V, slot int, x []plan.V) {
	if n.Op == ir.OpFoldNaN {
		return
	}
	a := acc[slot%len(acc)]
	f, _ := m.fold(n)
	s.Add(plan.Inst{Defs: []plan.V{a}, Uses: []plan.V{a, x[slot]}, Emit: func(d, u []int) { f(asm.V(d[0]), asm.V(u[0]), asm.V(u[1])) }})
}

// FoldFinish brings accumulators to one number in lane 0.
func (m *Machine) FoldFinish(s *plan.Seg, n *ir.Node, acc []plan.V) plan.V {
	if n.Op == ir.OpFoldNaN {
		return s.Op(plan.Vec, func(d int, _ []int) { m.MOVI(asm.V(d), 0) })
	}
	for len(acc) > 1 {
		acc = append(acc[2:], m.FoldPair(s, n, acc[0], acc[1]))
	}
	v := m.TreeJoin(s, n, 0, acc[0], acc[0])
	return m.TreeJoin(s, n, 1, v, v)
}

// FoldHalves folds the halves of each lane, to the upper one.
func (m *Machine) FoldHalves(s *plan.Seg, n *ir.Node, v plan.V) plan.V {
	return m.unary(s, func(d, a asm.V) { m.SHLL(asm.S, d, a) }, m.TreeJoin(s, n, 2, v, v))
}

// HalfLevel: so short groups are left one by one.
func (m *Machine) HalfLevel() int { return -1 }

// LoadHalves is for machines that load so.
func (m *Machine) LoadHalves(*plan.Seg, plan.Addr, plan.Addr) plan.V { panic("neon: no halves") }

// FoldPair folds two registers.
func (m *Machine) FoldPair(s *plan.Seg, n *ir.Node, a, b plan.V) plan.V {
	f, _ := m.fold(n)
	return m.binary(s, f, a, b)
}

// TreeJoin folds neighbouring lanes.
func (m *Machine) TreeJoin(s *plan.Seg, n *ir.Node, _ int, a, b plan.V) plan.V {
	_, f := m.fold(n)
	return m.binary(s, f, a, b)
}

// FoldAlarm has nothing to do.
func (m *Machine) FoldAlarm(*plan.Seg, []plan.V, string) {}

// Zero clears a register.
func (m *Machine) Zero(s *plan.Seg) plan.V {
	return s.Op(plan.Vec, func(d int, _ []int) { m.MOVI(asm.V(d), 0) })
}

// Copy is d = v.
func (m *Machine) Copy(d, v plan.V) plan.Inst {
	return plan.Inst{Defs: []plan.V{d}, Uses: []plan.V{v}, Emit: func(d, u []int) { m.MOV(asm.V(d[0]), asm.V(u[0])) }}
}
