// Package plan turns a recorded formula into a function: it decides what is
// computed once per call, per group and per element, in which order, in which
// register, and in which loops. It does so once for all targets; a target is a Machine.
package plan

import (
	"fmt"
	"maps"
	"slices"
	"sort"

	"github.com/lowbit-go/lowbit/gen/ir"
)

// V is a virtual register of a kernel.
type V int

// Class says which register file a virtual register lives in.
type Class uint8

// Register classes.
const (
	Vec Class = iota
	Mask
	classes
)

// Inst is one machine instruction (or a short fixed run of them) over virtual registers.
type Inst struct {
	Defs, Uses []V
	// Apart keeps the results out of the registers of operands that die here;
	// set where results are written before all operands are read.
	Apart bool
	// Tied excepts the first operand from that.
	Tied bool
	// Emit prints it, given physical register numbers.
	Emit func(d, u []int)
	// optional, unless nil, tells in the end whether it is wanted.
	optional func() bool
}

// Addr is where a stream's tile is: in memory behind a general register, or
// in the stack frame, where a tail has been staged.
type Addr struct {
	Reg   int // general register, unless Stack
	Stack bool
	Disp  int
}

// GPR names a general register by the machine's own numbering.
type GPR = int

// Cond is a comparison of a general register with a constant.
type Cond uint8

// Conditions, signed.
const (
	Less Cond = iota
	GreaterEqual
	Equal
	NotEqual
)

// Func describes a generated function to its machine.
type Func struct {
	Kernel *ir.Kernel
	Name   string
	Doc    []string
	Args   []Arg
	Frame  int // bytes of stack
}

// Arg is an argument of a generated function.
type Arg struct{ Name, Type string }

// Args lists a kernel's arguments in order: streams (outputs first), parameters, results, words, tables,
// counts, and how to stream.
func Args(k *ir.Kernel) []Arg {
	if k.Block != nil {
		return blockArgs(k)
	}
	if k.Random {
		return []Arg{{"words", "*uint32"}, {"keys", "*uint32"}, {"block", "int"}, {"stream", "int"}, {"n", "int"}}
	}
	var a []Arg
	for _, s := range Streams(k) {
		a = append(a, Arg{s.Name, "*" + s.Mem.GoType()})
	}
	for _, p := range k.Params {
		a = append(a, Arg{p.Name, "*" + p.Mem.GoType()})
	}
	for _, r := range k.Results {
		a = append(a, Arg{r.Name, "*" + r.Mem.GoType()})
	}
	for _, w := range k.Words {
		a = append(a, Arg{w.Name, w.Mem.GoType()})
	}
	for _, t := range k.Tables {
		a = append(a, Arg{t, "*[256]uint16"})
	}
	if k.Grouped() && !k.Sums {
		a = append(a, Arg{"groups", "int"}, Arg{"length", "int"})
	} else {
		a = append(a, Arg{"n", "int"})
	}
	if k.Sums {
		a = append(a, Arg{"groups", "int"}, Arg{"stride", "int"})
	}
	if k.Large {
		a = append(a, Arg{"ahead", "int"})
	}
	return a
}

// Streams lists a kernel's streams, outputs first.
func Streams(k *ir.Kernel) []*ir.Stream {
	s := append([]*ir.Stream(nil), k.Streams...)
	sort.SliceStable(s, func(i, j int) bool { return s[i].Out && !s[j].Out })
	return s
}

// Seg is a straight run of instructions between two labels.
type Seg struct {
	insts   []Inst
	p       *planner
	vals    map[[2]int]V
	up      *Seg // values computed before: of the group, of the call
	lanes   bool
	share   int  // groups per tile
	long    bool // groups are long ones
	at      map[string]Addr
	params  map[V]Addr // where parameters are that stay in memory
	name    string     // of the loop, for labels
	splits  map[[3]int][2]V
	rare    bool     // what is done instead of another segment
	alarm   string   // where alarms go
	second  bool     // a tile's second half
	next    int      // groups between those of the segment and those that the pointers are at
	inplace bool     // parameters stay in memory, for a machine that takes such operands
	mixture *mixture // where groups meet
	Tail    bool     // fewer elements than a tile are left, and masks say which
}

// RareLabel is where an alarm goes.
func (s *Seg) RareLabel() string { return s.alarm }

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

// Lanes reports whether each element is a group of its own.
func (s *Seg) Lanes() bool { return s.lanes }

// Mixed reports whether a register may hold values of several groups.
func (s *Seg) Mixed() bool { return s.lanes || s.mixture != nil }

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

type planner struct {
	k        *ir.Kernel
	m        Machine
	class    []Class
	extras   map[int][]*ir.Node
	demoted  map[int]bool    // constants and parameters that are loaded anew at each use
	needs    map[bool]*needs // of long groups, and of all others
	streams  []*ir.Stream
	ptr      map[string]GPR
	n        GPR // elements left
	counts   counts
	spilling spilling

	rareFails, rareAlone bool // registers ran out in the rare way; so it has all of them, and keeps no constant

	abreast bool     // a loop that looks ahead has registers for a tile's four side by side
	aside   []func() // prints what is out of the loops' way
	maxUsed [classes]int
}

// needs are the nodes that a kind of shape needs.
type needs struct {
	wanted  map[bool]map[int]bool // of the ordinary way, and of the rare one
	alarmed map[int]bool          // what an alarm looks at, and all that leads to it
	second  map[int]bool          // nodes of the ordinary way that do not
	carried []*ir.Node            // those of the first that the second need
	shared  []*ir.Node            // parameters that both need
}

// same is the node that another one stands for, where groups are long or elsewhere.
func same(n *ir.Node, long bool) *ir.Node {
	for n.Op == ir.OpAs || n.Op == ir.OpElse {
		if n.Op == ir.OpElse && !long {
			n = n.Args[1]
		} else {
			n = n.Args[0]
		}
	}
	return n
}

// reach finds the nodes that are needed.
func (p *planner) reach() {
	p.needs = map[bool]*needs{}
	levels := p.k.Levels(false)
	for _, long := range []bool{false, true} {
		r := &needs{wanted: map[bool]map[int]bool{false: {}, true: {}}, alarmed: map[int]bool{}, second: map[int]bool{}}
		p.needs[long] = r
		for _, n := range p.k.Nodes {
			if n.Op == ir.OpAlarmNaN || n.Op == ir.OpAlarmAbove || n.Op == ir.OpAlarmLow {
				p.want(r.alarmed, p.m.Watched(n), long)
			}
			if n.Root() {
				p.want(r.wanted[n.Rare], n, long)
			}
		}
		for _, n := range p.k.Nodes {
			if levels[n.ID] != ir.PerElement || !r.wanted[false][n.ID] || r.alarmed[n.ID] {
				continue
			}
			r.second[n.ID] = true
			for _, a := range p.operands(n) {
				a = same(a, long)
				if r.alarmed[a.ID] && levels[a.ID] == ir.PerElement && !slices.Contains(r.carried, a) {
					r.carried = append(r.carried, a)
				}
				if a.Op == ir.OpParam && r.alarmed[a.ID] && !slices.Contains(r.shared, a) {
					r.shared = append(r.shared, a)
				}
			}
		}
	}
}

// wants reports whether a segment's tile needs a node.
func (s *Seg) wants(n *ir.Node) bool {
	r := s.p.needs[s.long]
	if s.second {
		return r.second[n.ID]
	}
	return r.wanted[s.rare][n.ID]
}

// want puts what a node stands for into a set, and all that leads to that.
func (p *planner) want(set map[int]bool, n *ir.Node, long bool) {
	n = same(n, long)
	if set[n.ID] {
		return
	}
	set[n.ID] = true
	for _, a := range p.operands(n) {
		p.want(set, a, long)
	}
}

// reached reports whether a node is needed at all.
func (r *needs) reached(n *ir.Node) bool { return r.wanted[false][n.ID] || r.wanted[true][n.ID] }

// hasRare reports whether the kernel has a rare way.
func (p *planner) hasRare() bool { return len(p.needs[false].wanted[true]) > 0 }

// operands are a node's arguments and the target's hidden constants.
func (p *planner) operands(n *ir.Node) []*ir.Node {
	if n.Op == ir.OpAlarmLow {
		return append([]*ir.Node{p.m.Watched(n)}, p.extras[n.ID]...)
	}
	return append(append([]*ir.Node(nil), n.Args...), p.extras[n.ID]...)
}

// demand returns the register of a node's slot, emitting what is not there yet.
func (s *Seg) demand(n *ir.Node, slot int) V {
	n = same(n, s.long)
	level := s.p.k.Levels(s.lanes)[n.ID]
	if s.mixture != nil && s.mixture.root(n) >= 0 {
		return s.root(n, slot)
	}
	switch level {
	case ir.PerCall:
		slot = 0
	case ir.PerGroup:
		slots := n.Slots()
		slot = slot * min(s.share, slots) / slots
	}
	key := [2]int{n.ID, slot}
	anew := (s.p.demoted[n.ID] || s.rare && s.p.rareAlone) && level < ir.PerElement
	if !anew {
		for e := s; e != nil; e = e.up {
			if v, ok := e.vals[key]; ok {
				return v
			}
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
	return v
}

// place finds a memory operand.
func (s *Seg) place(n *ir.Node, slot int) Addr {
	switch n.Op {
	case ir.OpLoad, ir.OpStore, ir.OpAlarmCode:
		a := s.at[n.Name]
		a.Disp += slot * s.p.m.Width() * 4 / n.Slots() * n.Mem.Bits() / 8
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
	return &Seg{p: p, vals: map[[2]int]V{}, splits: map[[3]int][2]V{}, up: up, lanes: lanes, share: share, long: up != nil && up.long, at: map[string]Addr{}, params: map[V]Addr{}, inplace: share > 1 && !lanes}
}

// body emits all nodes of the tile, one 32-bit register after the other so
// that few values are alive at once; narrow lanes follow when their halves are
// there. A tail skips registers that hold nothing, and so narrows at its end.
// Alarms for floats and codes come before all else.
func (s *Seg) body(accs map[*ir.Node][]V) {
	for _, n := range s.p.k.Nodes {
		if early(n) && s.wants(n) {
			for slot := 0; slot < 4 && s.mixture != nil; slot++ {
				s.with(slot, func() { s.demand(n.Args[0], slot) })
			}
			s.emit(n, 0)
		}
	}
	if s.second && s.p.abreast {
		s.sideBySide()
		return
	}
	for slot := range 4 {
		s.with(slot, func() { s.nodes(4, slot, accs) })
		switch {
		case s.Tail && slot < 3:
			s.Add(Inst{Emit: func([]int, []int) { s.p.m.Branch(s.p.n, Less, s.p.m.Width()*(slot+1)+1, s.name+"narrow") }})
		case s.Tail:
			s.Add(Inst{Emit: func([]int, []int) { s.p.m.Label(s.name + "narrow") }})
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
	return n.Op == ir.OpAlarmNaN || n.Op == ir.OpAlarmAbove || n.Op == ir.OpAlarmCode
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
		case n.Op == ir.OpLoad && slots != 4: // where it is wanted first
		default:
			s.demand(n, slot)
		}
	}
}

// roots of a level are the nodes that a more frequent level needs.
func (p *planner) roots(level ir.Level, lanes, long bool) []*ir.Node {
	levels := p.k.Levels(lanes)
	need := map[int]bool{}
	var out []*ir.Node
	for _, n := range p.k.Nodes {
		if levels[n.ID] <= level || !p.needs[long].wanted[false][n.ID] {
			continue
		}
		for _, a := range p.operands(n) {
			a = same(a, long)
			if levels[a.ID] == level && !need[a.ID] && !p.demoted[a.ID] {
				need[a.ID] = true
				out = append(out, a)
			}
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].ID < out[j].ID })
	return out
}

// shape is one loop of a function, with its segments.
type shape struct {
	name   string
	share  int
	lanes  bool
	group  *Seg
	body   *Seg
	tail   *Seg // of what is left of a tile, for a machine that masks; an alarm has it staged
	values *Seg // of a group, for meet
	meet   *Seg // a tile in which groups meet
	first  *Seg // the first half of a tile, up to what an alarm looks at
	ahead  *Seg // the first half of the next tile and the second half of this one
	turn   *Seg // the same where the next tile begins another group
	last   *Seg // the second half alone
	after  *Seg
	tree   *tree
}

// program is a function before printing.
type program struct {
	call   *Seg
	groups *shape // nil in flat kernels
	long   *shape // of long groups, where more is worth to be computed per group
	short  []*shape
	lanes  *shape // nil where a kernel folds
	trees  []*shape
	rare   *Seg // what is done instead of a tile, with its parameters one for each element
	frame
}

func (p *planner) build() *program {
	pr := &program{}
	p.class = nil
	pr.call = p.seg(nil, false, 1)
	// Every shape must find all constants, so the call's roots are those of all kinds of loop.
	for _, n := range slices.Concat(p.roots(ir.PerCall, false, false), p.roots(ir.PerCall, false, true), p.roots(ir.PerCall, true, false)) {
		pr.call.demand(n, 0)
	}
	pr.frame = p.layout()
	for _, n := range p.k.Nodes {
		if _, ok := p.spilling.spilled[n.ID]; ok {
			p.spilling.spilled[n.ID] = pr.take(16 * p.m.Width())
		}
	}
	if !p.k.Grouped() {
		pr.lanes = p.shape(pr, 1, false, true)
		return pr
	}
	pr.groups = p.shape(pr, 1, false, false)
	if slices.ContainsFunc(p.k.Nodes, func(n *ir.Node) bool { return n.Op == ir.OpElse }) {
		pr.long = p.shape(pr, 1, false, true)
	}
	if p.k.Folds() {
		for _, t := range p.treeKinds() {
			pr.trees = append(pr.trees, p.tree(pr, t))
		}
	} else {
		pr.lanes = p.shape(pr, 4, true, false)
		for _, share := range p.m.Shares() {
			pr.short = append(pr.short, p.shape(pr, share, false, false))
		}
	}
	for _, sh := range append(pr.short, pr.groups) {
		sh.unload()
	}
	return pr
}

// arrays are the streams, and the parameters as such: they are where each element is a group.
func (p *planner) arrays() []*ir.Stream { return append(slices.Clone(p.streams), p.params()...) }

// params are the parameters as streams.
func (p *planner) params() []*ir.Stream {
	var out []*ir.Stream
	for _, q := range p.k.Params {
		out = append(out, &ir.Stream{Name: q.Name, Mem: q.Mem, In: true})
	}
	return out
}

func (p *planner) shape(pr *program, share int, lanes, long bool) *shape {
	sh := &shape{share: share, lanes: lanes, name: "group"}
	switch {
	case lanes || !p.k.Grouped():
		sh.name = "lane"
	case share > 1:
		sh.name = fmt.Sprintf("short%d", share)
	case long:
		sh.name = "long"
	}
	sh.group = p.seg(pr.call, lanes, share)
	sh.group.long = long
	accs := map[*ir.Node][]V{}
	if !lanes {
		for _, n := range p.roots(ir.PerGroup, false, long) {
			for c := range min(share, n.Slots()) {
				sh.group.demand(n, c*n.Slots()/min(share, n.Slots()))
			}
		}
		for _, n := range p.k.Nodes {
			if n.Op.Fold() {
				accs[n] = p.m.FoldInit(sh.group, n)
			}
		}
	}
	direct := map[string]Addr{}
	for _, a := range p.arrays() {
		direct[a.Name] = Addr{Reg: p.ptr[a.Name]}
	}
	tile := func(name, alarm string, at map[string]Addr) *Seg {
		s := p.seg(sh.group, lanes, share)
		s.name, s.at, s.alarm = name, at, alarm
		return s
	}
	sh.body = tile(sh.name, sh.name+"rare", direct)
	sh.body.body(accs)
	if sh.name == "lane" && p.hasRare() {
		pr.rare = tile("rare", "", direct)
		if p.rareAlone {
			pr.rare.up = nil
		}
		pr.rare.rare = true
		pr.rare.body(accs)
	}
	if p.m.Masks() && !p.k.Folds() && share == 1 && !p.k.Whole {
		at := maps.Clone(direct)
		for _, a := range p.streams {
			if a.Mem == ir.MemBits || a.Mem == ir.MemMask {
				at[a.Name] = pr.stage[a.Name]
			}
		}
		sh.tail = tile(sh.name+"tail", sh.name+"stage", at)
		sh.tail.Tail = true
		sh.tail.body(accs)
	}
	if share == 1 && p.k.Grouped() && !lanes && !long && !p.k.Folds() {
		sh.meet = p.meeting(pr, sh, direct)
	}
	if len(p.needs[long].carried) > 0 && !lanes && p.m.Ahead() {
		p.pipeline(pr, sh, direct)
	}
	sh.after = p.seg(sh.group, lanes, share)
	for _, n := range p.k.Nodes {
		if n.Op.Fold() {
			sh.after.folded(n, p.m.FoldFinish(sh.after, n, accs[n]))
		}
	}
	for _, r := range p.k.Results {
		v := sh.after.scalar(r.Args[0])
		p.m.Lower(sh.after, r, 0, [][]V{{v}}, sh.after.place(r, 0))
	}
	return sh
}

// unload drops the loads of parameters that are in no register's use.
func (sh *shape) unload() {
	all := append([]*Seg{}, sh.body, sh.tail, sh.group, sh.first, sh.ahead, sh.turn, sh.last)
	used := map[V]bool{}
	for _, s := range all {
		if s != nil {
			for _, i := range s.insts {
				for _, v := range i.Uses {
					used[v] = true
				}
			}
		}
	}
	for _, s := range all {
		if s != nil {
			s.insts = slices.DeleteFunc(s.insts, func(i Inst) bool {
				if len(i.Defs) != 1 || used[i.Defs[0]] {
					return false
				}
				_, ok := s.params[i.Defs[0]]
				return ok
			})
		}
	}
}

// pipeline makes a loop that begins a tile before the one in front is done, as
// few machines look far enough ahead to do so by themselves. The first half of a
// tile's work is what an alarm looks at. An alarm leaves the loop for the plain
// one, where nothing of this tile is done yet.
func (p *planner) pipeline(pr *program, sh *shape, direct map[string]Addr) {
	type value struct {
		n    *ir.Node
		slot int
	}
	short := sh.share > 1
	needs := p.needs[sh.group.long]
	var carried []value
	for slot := range 4 {
		for _, n := range needs.carried {
			if slot < n.Slots() {
				carried = append(carried, value{n, slot})
			}
		}
	}
	if short {
		for _, n := range needs.shared {
			for c := range sh.share {
				carried = append(carried, value{n, c * n.Slots() / sh.share})
			}
		}
	}
	half := func(up *Seg, at map[string]Addr, next int) *Seg {
		s := p.seg(up, false, sh.share)
		s.at, s.next, s.inplace = at, next, up == pr.call
		return s
	}
	first := func(up *Seg, at map[string]Addr, next int) (*Seg, []V) {
		s := half(up, at, next)
		var vs []V
		for _, v := range carried {
			vs = append(vs, s.demand(v.n, v.slot))
		}
		return s, vs
	}
	beyond := map[string]Addr{}
	for _, s := range p.streams {
		a := direct[s.Name]
		a.Disp += 4 * p.m.Width() * s.Mem.Bits() / 8
		beyond[s.Name] = a
	}
	var here []V
	second := func(name, alarm string, up *Seg) *Seg {
		s := half(up, direct, 0)
		s.name, s.second, s.alarm = sh.name+name, true, sh.name+alarm
		for i, v := range carried {
			slot := v.slot
			if v.n.Op == ir.OpParam {
				slot = slot * sh.share / v.n.Slots()
			}
			s.vals[[2]int{v.n.ID, slot}] = here[i]
		}
		return s
	}
	both := func(name, alarm string, up *Seg, groups int) *Seg {
		s := second(name, alarm, up)
		next, there := first(up, beyond, groups)
		s.insts, s.params = next.insts, next.params
		s.body(nil)
		for i, v := range here {
			s.Add(p.m.Copy(v, there[i]))
		}
		return s
	}
	up, groups := sh.group, 0
	if short { // the next tile has other groups
		up, groups = pr.call, sh.share
	}
	sh.first, here = first(up, direct, 0)
	sh.ahead = both("ahead", "loop", up, groups)
	if !short && !sh.group.long {
		sh.turn = both("turn", "turned", pr.call, 1)
		sh.last = second("last", "loop", sh.group)
		sh.last.body(nil)
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

func (p *planner) fail(format string, a ...any) error {
	return fmt.Errorf("plan: %s%s: %s", p.k.Name, p.m.Name(), fmt.Sprintf(format, a...))
}
