package neon

import (
	"github.com/lowbit-go/lowbit/gen/neon/asm"
	"github.com/lowbit-go/lowbit/gen/plan"
)

// Accumulate is acc += v.
func (m *Machine) Accumulate(acc, v plan.V) plan.Inst {
	return plan.Inst{Defs: []plan.V{acc}, Uses: []plan.V{acc, v}, Emit: func(d, u []int) { m.FADD(asm.V(d[0]), asm.V(u[0]), asm.V(u[1])) }}
}

// Total calls its routine.
func (m *Machine) Total() { m.CALL(routine("total")) }

// AccumulateFrom is acc += what is in memory.
func (m *Machine) AccumulateFrom(s *plan.Seg, acc plan.V, from plan.Addr) {
	v := s.New(plan.Vec)
	s.Add(m.Fill(plan.Vec, v, from))
	s.Add(m.Accumulate(acc, v))
}
