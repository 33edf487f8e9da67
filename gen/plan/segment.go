package plan

import (
	"slices"

	"github.com/lowbit-go/lowbit/gen/ir"
)

// Seg is a straight run of instructions between two labels.
type Seg struct {
	insts     []Inst
	p         *planner
	vals      map[[2]int]V
	up        *Seg // values computed before: of the group, of the call
	lanes     bool
	share     int  // groups per tile
	long      bool // groups are long ones
	at        map[string]Addr
	params    map[V]Addr // where parameters are that stay in memory
	once      map[V]Addr // where whole registers in memory are of which there is one use
	name      string     // of the loop, for labels
	splits    map[[3]int][2]V
	layout    int      // of codes that are read, or -1 if any may be
	list      *Seg     // makes the tables by which this one does its tile
	rare      bool     // what is done instead of another segment
	behind    *program // whose rare way it ends
	alarm     string   // where alarms go
	second    bool     // a tile's second half
	next      int      // groups between those of the segment and those that the pointers are at
	inplace   bool     // parameters stay in memory, for a machine that takes such operands
	meets     bool     // groups meet, and parameters are chosen
	mix       *mixture // of parameters, if they are mixed
	registers int      // of a tile, or a turn of what is rare
	turns     bool     // the loop's tiles begin in several ways
	turn      func()   // prints what begins the next one
	Tail      bool     // fewer elements than a tile are left, and masks say which
}

// RareLabel is where an alarm goes.
func (s *Seg) RareLabel() string { return s.alarm }

// Turns has the machine print how the loop's tiles begin, in several ways, if nothing is in front of that. It is for loops of lanes, and of tiles in which
// groups meet.
func (s *Seg) Turns() bool {
	if !s.lanes || s.rare || len(s.insts) > 0 {
		return false
	}
	s.turns = true
	return true
}

// Turn prints, behind the branch for the last tile, how the next one begins.
func (s *Seg) Turn(print func()) { s.turn = print }

// Word is the general register that has a word of the call, if one has it.
func (s *Seg) Word(name string) (GPR, bool) {
	r, ok := s.p.words[name]
	return r, ok
}

// Layout is that of the codes that a tile reads, if it is for one alone.
func (s *Seg) Layout() (layout int, ok bool) { return s.layout, s.layout >= 0 }

// Stage is where a tile of a stream is in the frame.
func (s *Seg) Stage(name string) Addr { return s.p.stage[name] }

// Aside has something printed out of the loops' way.
func (s *Seg) Aside(print func()) { s.p.aside = append(s.p.aside, print) }

// Extra is the register of a hidden constant of n.
func (s *Seg) Extra(n *ir.Node, i int) V { return s.demand(s.p.extras[n.ID][i], 0) }

// Once is what f emitted when it was first asked for this part of a node, which several slots share.
func (s *Seg) Once(n *ir.Node, part int, f func() V) V {
	key := [2]int{n.ID, ^part} // behind all slots
	v, ok := s.vals[key]
	if !ok {
		v = f()
		s.vals[key] = v
	}
	return v
}

// Tile is the registers of a node whose tile is made at once: by f, when the first of them is asked for.
func (s *Seg) Tile(n *ir.Node, f func() []V) []V {
	tile := make([]V, s.registers)
	for i := range tile {
		tile[i] = s.Once(n, i, func() V {
			for j, v := range f() {
				s.vals[[2]int{n.ID, ^j}] = v
			}
			return s.vals[[2]int{n.ID, ^i}]
		})
	}
	return tile
}

// Param is where a register's contents are, if it is a parameter that is used once or
// twice, for a machine that takes such an operand from memory: a register that is not
// used is not loaded.
func (s *Seg) Param(v V) (Addr, bool) {
	for ; s != nil; s = s.up {
		if a, ok := s.params[v]; ok {
			return a, true
		}
	}
	return Addr{}, false
}

// Operand is where the contents of a register are that is used once, for a machine that takes such an operand from memory.
func (s *Seg) Operand(v V) (Addr, bool) {
	a, ok := s.once[v]
	return a, ok
}

// Lanes reports whether each element is a group of its own.
func (s *Seg) Lanes() bool { return s.lanes }

// Registers is how many of 32-bit numbers the segment makes: those of a tile, but where a loop goes over these.
func (s *Seg) Registers() int { return s.registers }

// New makes a virtual register.
func (s *Seg) New(c Class) V {
	s.p.class = append(s.p.class, c)
	return V(len(s.p.class) - 1)
}

// Add appends an instruction.
func (s *Seg) Add(i Inst) { s.insts = append(s.insts, i) }

// Op appends an instruction with one result in a new register.
func (s *Seg) Op(c Class, emit func(d int, u []int), uses ...V) V {
	d := s.New(c)
	s.Add(Inst{Defs: []V{d}, Uses: uses, Emit: func(d, u []int) { emit(d[0], u) }})
	return d
}

// OpApart is Op whose result stays out of the operands' registers.
func (s *Seg) OpApart(c Class, emit func(d int, u []int), uses ...V) V {
	v := s.Op(c, emit, uses...)
	s.insts[len(s.insts)-1].Apart = true
	return v
}

// OpTied is OpApart whose result may take the first operand's register.
func (s *Seg) OpTied(c Class, emit func(d int, u []int), uses ...V) V {
	v := s.OpApart(c, emit, uses...)
	s.insts[len(s.insts)-1].Tied = true
	return v
}

// demand returns the register of a node's slot, emitting what is not there yet.
func (s *Seg) demand(n *ir.Node, slot int) V {
	n = same(n, s.long)
	level := s.p.k.Levels(s.lanes)[n.ID]
	switch level {
	case ir.PerCall:
		slot = 0
	case ir.PerGroup:
		slots := n.Slots()
		slot = slot * min(s.share, slots) / slots
	}
	key := [2]int{n.ID, slot}
	anew := (s.p.demoted[n.ID] || s.rare && s.p.rareAlone) && level < ir.PerElement
	own := s.rare && s.p.rareOwn && level == ir.PerCall && !slices.Contains(s.p.constants(), n)
	if !anew {
		for e := s; e != nil && (e == s || !own); e = e.up {
			if v, ok := e.vals[key]; ok {
				return v
			}
		}
	}
	if s.behind != nil && level == ir.PerElement {
		if v, ok := s.leave(n, slot); ok {
			s.vals[key] = v
			return v
		}
	}
	v := s.emit(n, slot)
	if !anew {
		s.vals[key] = v
	}
	return v
}

// emit lowers one slot of a node.
func (s *Seg) emit(n *ir.Node, slot int) V {
	if s.chooses(n) {
		return s.chosen(n, slot)
	}
	var args [][]V
	slots := n.Slots()
	if l := s.p.k.Levels(s.lanes)[n.ID]; l == ir.PerGroup {
		// slot counts copies here: scale it back to the tile's slots
		slot = slot * slots / min(s.share, slots)
	}
	for _, a := range s.p.operands(n) {
		a = same(a, s.long)
		var vs []V
		as := a.Slots()
		if l := s.p.k.Levels(s.lanes)[a.ID]; l == ir.PerCall {
			vs = []V{s.demand(a, 0)}
			for len(vs) < as/slots {
				vs = append(vs, vs[0])
			}
		} else if as >= slots {
			for j := slot * as / slots; j < (slot+1)*as/slots; j++ {
				vs = append(vs, s.demand(a, j))
			}
		} else {
			vs = []V{s.demand(a, slot*as/slots)}
		}
		args = append(args, vs)
	}
	v := s.p.m.Lower(s, n, slot, args, s.place(n, slot))
	if n.Op == ir.OpParam && s.inplace {
		s.params[v] = s.place(n, slot)
	}
	if n.Op == ir.OpLoad || n.Op == ir.OpParam && s.lanes {
		s.loaded(n, v, s.place(n, slot))
	}
	return v
}

// loaded notes where a register comes from, a stream's or parameters one for each lane, if it can be an operand there.
func (s *Seg) loaded(n *ir.Node, v V, from Addr) {
	if (n.Mem == ir.MemF32 || n.Mem == ir.MemI32) && s.p.uses(n) == 1 {
		s.once[v] = from
	}
}

// place finds a memory operand.
func (s *Seg) place(n *ir.Node, slot int) Addr {
	switch n.Op {
	case ir.OpLoad, ir.OpStore, ir.OpAlarmCode:
		a := s.at[n.Name]
		a.Disp += slot * s.p.m.Width() * 4 / n.Slots() * n.Mem.Bits() / 8
		if n.Mem == ir.MemF32 {
			a.Disp += 4 * columns * int(n.Bits)
		}
		return a
	case ir.OpParam:
		if s.lanes {
			a := s.at[n.Name]
			a.Disp += slot * s.p.m.Width() * 4
			return a
		}
		return Addr{Reg: s.p.ptr[n.Name], Disp: 4 * (s.next + slot*s.share/4)}
	case ir.OpResult:
		return Addr{Reg: s.p.ptr[n.Name]}
	}
	return Addr{}
}

func (p *planner) seg(up *Seg, lanes bool, share int) *Seg {
	return &Seg{p: p, layout: -1, registers: 4, vals: map[[2]int]V{}, splits: map[[3]int][2]V{}, up: up, lanes: lanes, share: share, long: up != nil && up.long, at: map[string]Addr{}, params: map[V]Addr{}, once: map[V]Addr{}, inplace: share > 1 && !lanes}
}

// body emits all nodes of the tile, one 32-bit register after the other so
// that few values are alive at once; narrow lanes follow when their halves are
// there. A tail skips registers that hold nothing, and so narrows at its end.
// Alarms for floats and codes come before all else.
func (s *Seg) body(accs map[*ir.Node][]V) {
	for _, n := range s.p.k.Nodes {
		if early(n) && s.wants(n) {
			s.emit(n, 0)
		}
	}
	if s.p.registers == 1 {
		s.nodes(4, 0, accs)
		return
	}
	if s.second && s.p.abreast {
		s.sideBySide()
		return
	}
	for slot := range 4 {
		before := len(s.insts)
		s.nodes(4, slot, accs)
		switch {
		case s.Tail && slot < 3 && len(s.insts) == before: // there are none but narrow lanes
		case s.Tail && slot%2 == 0 && s.p.k.Folds(): // NaNs are sought in two at a time
		case s.Tail && slot < 3:
			s.Add(Inst{Emit: func([]int, []int) { s.p.m.Branch(s.p.n, Less, s.p.m.Width()*(slot+1)+1, label(s.name, atNarrow)) }})
		case s.Tail:
			s.Add(Inst{Emit: func([]int, []int) { s.p.m.Label(label(s.name, atNarrow)) }})
			s.nodes(2, 0, accs)
			s.nodes(2, 1, accs)
			s.nodes(1, 0, accs)
		default:
			if slot%2 == 1 {
				s.nodes(2, slot/2, accs)
			}
			if slot == 3 {
				s.nodes(1, 0, accs)
			}
		}
	}
}

// sideBySide emits a tile's registers one beside the other, so that none waits long.
func (s *Seg) sideBySide() {
	levels := s.p.k.Levels(s.lanes)
	for _, n := range s.p.k.Nodes {
		for slot := range n.Slots() {
			switch {
			case levels[n.ID] != ir.PerElement || early(n) || !s.wants(n) || n.Op == ir.OpLoad:
			case n.Op == ir.OpStore || n.Op == ir.OpAlarmLow:
				s.emit(n, slot)
			default:
				s.demand(n, slot)
			}
		}
	}
}

// early reports whether a node is an alarm that can be sounded at once.
func early(n *ir.Node) bool {
	return n.Op == ir.OpAlarmNaN || n.Op == ir.OpAlarmAbove || n.Op == ir.OpAlarmHalf || n.Op == ir.OpAlarmCode
}

// nodes emits one slot of all nodes whose tile takes so many registers.
func (s *Seg) nodes(slots, slot int, accs map[*ir.Node][]V) {
	levels := s.p.k.Levels(s.lanes)
	for _, n := range s.p.k.Nodes {
		switch {
		case n.Op.Fold():
			if slots == n.Args[0].Slots() {
				var xs []V
				for j := 0; j <= slot; j++ {
					xs = append(xs, s.demand(n.Args[0], j))
				}
				s.p.m.FoldStep(s, n, accs[n], slot, xs)
			}
		case levels[n.ID] != ir.PerElement || n.Slots() != slots || early(n) || !s.wants(n):
		case n.Op == ir.OpStore || n.Op == ir.OpAlarmLow:
			s.emit(n, slot)
		case n.Op == ir.OpLoad && slots != 4, s.mix != nil && s.chooses(n): // where it is wanted first
		default:
			s.demand(n, slot)
		}
	}
}

// folded notes what a fold has come to, in each lane.
func (s *Seg) folded(n *ir.Node, v V) {
	if n.Args[0].Type == ir.I16 {
		v = s.p.m.FoldHalves(s, n, v)
	}
	s.vals[[2]int{n.ID, 0}] = v
}

// Results is how many groups' results a segment stores at once.
func (s *Seg) Results() int { return s.share }

// scalar computes what follows a fold; only lane 0 counts.
func (s *Seg) scalar(n *ir.Node) V {
	n = same(n, s.long)
	if v, ok := s.vals[[2]int{n.ID, 0}]; ok {
		return v
	}
	var args [][]V
	for _, a := range s.p.operands(n) {
		a = same(a, s.long)
		if s.p.k.Levels(s.lanes)[a.ID] == ir.After {
			args = append(args, []V{s.scalar(a)})
		} else {
			args = append(args, []V{s.demand(a, 0)})
		}
	}
	v := s.p.m.Lower(s, n, 0, args, Addr{})
	s.vals[[2]int{n.ID, 0}] = v
	return v
}

// uses is how often a node is an operand of others.
func (p *planner) uses(n *ir.Node) (count int) {
	for _, user := range p.k.Nodes {
		for _, a := range p.operands(user) {
			if a == n {
				count++
			}
		}
	}
	return count
}
