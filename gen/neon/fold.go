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
	for range m.FoldWays() {
		acc = append(acc, m.unary(s, m.MOV, s.Extra(n, 0)))
	}
	return acc
}

// low tells a smallest from a largest number.
func low(op ir.Op) bool { return op == ir.OpFoldMin || op == ir.OpFoldLow }

func (m *Machine) fold(op ir.Op) emit2 {
	if low(op) {
		return m.FMIN
	}
	return m.FMAX
}

// FoldStep takes in one more register of the tile.
func (m *Machine) FoldStep(s *plan.Seg, n *ir.Node, acc []plan.V, slot int, x []plan.V) {
	if n.Op == ir.OpFoldNaN {
		return
	}
	a, f := acc[slot%len(acc)], m.fold(n.Op)
	s.Add(plan.Inst{Defs: []plan.V{a}, Uses: []plan.V{a, x[slot]}, Emit: func(d, u []int) { f(asm.V(d[0]), asm.V(u[0]), asm.V(u[1])) }})
}

// FoldFinish brings accumulators to one number in lane 0.
func (m *Machine) FoldFinish(s *plan.Seg, n *ir.Node, acc []plan.V) plan.V {
	if n.Op == ir.OpFoldNaN {
		return s.Op(plan.Vec, func(d int, _ []int) { m.MOVI(asm.V(d), 0) })
	}
	f := m.fold(n.Op)
	v := m.binary(s, f, m.binary(s, f, acc[0], acc[1]), m.binary(s, f, acc[2], acc[3]))
	if low(n.Op) {
		return m.unary(s, m.FMINV, v)
	}
	return m.unary(s, m.FMAXV, v)
}

// Trees: a turn of four registers hides the loop. Elements of 16 bits are loaded
// for two registers at once.
func (m *Machine) Trees(mem ir.Mem) []int { return []int{4, 32 / mem.Bits()} }

// FoldPair folds two registers.
func (m *Machine) FoldPair(s *plan.Seg, n *ir.Node, a, b plan.V) plan.V {
	return m.binary(s, m.fold(n.Op), a, b)
}

// TreeJoin folds neighbouring lanes.
func (m *Machine) TreeJoin(s *plan.Seg, n *ir.Node, _ int, a, b plan.V) plan.V {
	if low(n.Op) {
		return m.binary(s, m.FMINP, a, b)
	}
	return m.binary(s, m.FMAXP, a, b)
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
