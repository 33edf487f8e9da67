package x86

import "github.com/lowbit-go/lowbit/gen/plan"

// Accumulate is acc += v.
func (m *Machine) Accumulate(acc, v plan.V) plan.Inst {
	return plan.Inst{Defs: []plan.V{acc}, Uses: []plan.V{acc, v}, Emit: func(d, u []int) { m.i("VADDPS", m.vec(u[1]), m.vec(u[0]), m.vec(d[0])) }}
}

// Total calls its routine.
func (m *Machine) Total() { m.callRoutine("total") }

// AccumulateFrom is acc += what is in memory.
func (m *Machine) AccumulateFrom(s *plan.Seg, acc plan.V, from plan.Addr) {
	s.Add(plan.Inst{Defs: []plan.V{acc}, Uses: []plan.V{acc}, Emit: func(d, u []int) { m.i("VADDPS", m.mem(from, 0), m.vec(u[0]), m.vec(d[0])) }})
}
