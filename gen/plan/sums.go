package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lowbit-go/lowbit/gen/ir"
)

// A kernel of another shape sums a number over the elements of each group, for as many parameters of the group as a register has lanes. Its
// streams are the parameters, a number for each lane, and its parameters the elements, each of which goes to all lanes. The order of the sum
// is that of package kernels: element i goes to accumulator i%16, and then accumulator j+8 to j, j+4, j+2 and j+1.
// So there are three counted loops: over groups, over accumulators, and over the elements of one. All kernels call one routine for the rest.
//
// Where groups are columns, the lanes are groups: a vector is loaded from each row, and the outer loop is over the groups' candidates. What is
// stored follows from the sums of all of them so far.

// accumulators is how many there are, columns how many groups a row has, and rowsAtOnce how many rows come at a time.
const accumulators, columns, rowsAtOnce = 16, 16, 4

// Summer is a machine that sums.
type Summer interface {
	Machine
	Accumulate(acc, v V) Inst                // acc += v
	AccumulateFrom(s *Seg, acc V, from Addr) // the same of what is in memory
	Total()                                  // calls the routine of PrintTotal
}

// sums is such a function before printing.
type sums struct {
	*printer
	m               Summer
	lanes           *Seg // the parameters, and what follows from them alone
	ways            int  // accumulators side by side
	open            *Seg // makes them
	element         *Seg // adds an element to each
	shut            *Seg // stores them
	total           *Seg // of all accumulators
	slot, left, end GPR  // the accumulator's place, how many are left, and the end of the elements
	groups          GPR  // or candidates, left
	step            int  // bytes from an element to the next one
	first           map[string]GPR
}

// GenerateSums prints such a kernel: one with streams, of which one is stored to, and with parameters.
func GenerateSums(k *ir.Kernel, m Summer) error {
	k.Prune()
	p := &planner{k: k, m: m, extras: map[int][]*ir.Node{}, demoted: map[int]bool{}, streams: Streams(k), ptr: map[string]GPR{}}
	for i := 0; i < len(k.Nodes); i++ {
		if e := m.Extras(k.Nodes[i]); len(e) > 0 {
			p.extras[k.Nodes[i].ID] = e
		}
	}
	p.reach()
	s := &sums{printer: &printer{planner: p}, m: m, step: 4, first: map[string]GPR{}}
	if k.Columns {
		s.step = 4 * columns
	}
	if err := s.registers(); err != nil {
		return err
	}
	s.ways = 1
	if k.Columns {
		s.ways = min(rowsAtOnce, m.Width()/2) // more would be text that registers of four lanes gain little by
	}
	for s.build(); !s.allocate(); s.build() {
		if s.ways /= 2; s.ways == 0 {
			return p.fail("registers ran out")
		}
		s.maxUsed = [classes]int{}
	}
	s.print()
	return nil
}

// registers gives out the general ones.
func (s *sums) registers() error {
	regs := s.m.GPRs()
	names := []*GPR{&s.slot, &s.left, &s.end, &s.groups}
	if want := len(names) + len(s.streams) + 2*len(s.k.Params); want > len(regs) {
		return s.fail("%d general registers wanted, there are %d", want, len(regs))
	}
	take := func() GPR {
		r := regs[0]
		regs = regs[1:]
		return r
	}
	for _, r := range names {
		*r = take()
	}
	for _, a := range s.streams {
		s.ptr[a.Name] = take()
	}
	for _, q := range s.k.Params { // where the elements of an accumulator begin, and the element
		s.first[q.Name], s.ptr[q.Name] = take(), take()
	}
	return nil
}

// build makes the code.
func (s *sums) build() {
	p := s.planner
	varies := map[int]bool{} // from element to element
	after := map[int]bool{}  // computed behind the elements
	var sum *ir.Node
	for _, n := range p.k.Nodes {
		varies[n.ID] = n.Op == ir.OpParam || slices.ContainsFunc(p.operands(n), func(a *ir.Node) bool { return varies[a.ID] })
		after[n.ID] = n.Op == ir.OpSum || n.Op == ir.OpStore || slices.ContainsFunc(n.Args, func(a *ir.Node) bool { return after[a.ID] })
		if n.Op == ir.OpSum {
			sum = n
		}
	}
	s.lanes = p.seg(nil, false, 1)
	for _, a := range p.streams {
		s.lanes.at[a.Name] = Addr{Reg: p.ptr[a.Name]}
	}
	for _, n := range p.k.Nodes {
		for _, a := range p.operands(n) {
			if a = same(a, false); varies[n.ID] && !varies[a.ID] && !after[n.ID] {
				s.lanes.demand(a, 0)
			}
		}
	}
	s.open = p.seg(s.lanes, false, 1)
	s.element, s.shut = p.seg(s.open, false, 1), p.seg(s.open, false, 1)
	parts, accs := make([]*Seg, s.ways), make([]V, s.ways)
	for i := range parts {
		parts[i], accs[i] = p.seg(s.open, p.k.Columns, 1), s.m.Zero(s.open)
		for _, q := range p.k.Params {
			parts[i].at[q.Name] = Addr{Reg: p.ptr[q.Name], Disp: s.step * i}
		}
		s.shut.Add(s.m.Spill(Vec, accs[i], Addr{Reg: s.slot, Disp: 4 * s.m.Width() * i}))
	}
	for _, n := range p.k.Nodes { // one beside the other, so that none waits for the one before
		for i, part := range parts {
			switch {
			case n == sum:
				part.Add(s.m.Accumulate(accs[i], part.demand(n.Args[0], 0)))
			case varies[n.ID] && !after[n.ID]:
				part.demand(n, 0)
			}
			s.element.insts, part.insts = append(s.element.insts, part.insts...), nil
		}
	}
	s.total = p.seg(nil, false, 1)
	for _, a := range p.streams {
		s.total.at[a.Name] = Addr{Reg: p.ptr[a.Name]}
	}
	total := s.total.New(Vec)
	s.total.Add(Inst{Defs: []V{total}, Emit: func(d, _ []int) {
		if d[0] != 0 {
			panic("plan: " + p.k.Name + " expects its sum in another register than the first")
		}
		s.m.Total()
	}})
	s.total.vals[[2]int{sum.ID, 0}] = total
	for _, n := range p.k.Nodes {
		if n.Op == ir.OpStore {
			s.total.emit(n, 0)
		}
	}
}

// PrintTotal prints what adds up the accumulators in front of the first general register, which every such kernel has as the accumulator's
// place, to the first vector register. Nothing else is in a vector register then.
func PrintTotal(m Summer) {
	p := &planner{k: ir.New("stage", "Total", ""), m: m}
	s := p.seg(nil, false, 1)
	place := func(j int) Addr { return Addr{Reg: m.GPRs()[0], Disp: 4 * m.Width() * (j - accumulators)} }
	// The sum of the accumulators from j on that are multiples of step apart from it, the farther ones added first.
	var sum func(j, step int) V
	sum = func(j, step int) V {
		if step == accumulators {
			v := s.New(Vec)
			s.Add(m.Fill(Vec, v, place(j)))
			return v
		}
		a := sum(j, 2*step)
		if 2*step == accumulators {
			m.AccumulateFrom(s, a, place(j+step))
		} else {
			s.Add(m.Accumulate(a, sum(j+step, 2*step)))
		}
		return a
	}
	total := sum(0, 1)
	at, ok := p.scan(s, nil)
	if !ok || at[total] != 0 {
		panic("plan: the total is not in the first register")
	}
	s.print(at)
}

// allocate places everything in vector registers.
func (s *sums) allocate() bool {
	s.alloc = allocation{}
	pins := map[V]int{}
	all := []*Seg{s.lanes, s.open, s.element, s.shut, s.total}
	for i, g := range all {
		out := slices.DeleteFunc(liveOut(g, all[i+1:]...), func(v V) bool { _, ok := pins[v]; return ok }) // what is added to has its place
		if !s.pin(out, pins) {
			return false
		}
		at, ok := s.scan(g, pins)
		if !ok {
			return false
		}
		s.verify(g, at, pins)
		s.alloc[g] = at
	}
	return true
}

func (s *sums) print() {
	m, k := s.m, s.k
	f := &Func{Kernel: k, Name: k.Name + m.Name(), Args: Args(k), Frame: accumulators * 4 * m.Width()}
	f.Doc = append(strings.Split(f.Name+" "+k.Doc, "\n"), s.shape()...)
	m.Begin(f)
	s.describe()
	for _, a := range s.streams {
		m.Arg(s.ptr[a.Name], a.Name)
	}
	for _, q := range k.Params {
		m.Arg(s.first[q.Name], q.Name)
	}
	m.Arg(s.groups, s.outer())
	m.Label("group")
	m.Arg(s.left, "n")
	m.Move(s.end, s.first[k.Params[0].Name])
	m.AddBits(s.end, s.left, s.unit())
	m.Point(s.slot, Addr{Stack: true})
	s.run(s.lanes)
	s.accumulators()
	s.run(s.total)
	for _, q := range k.Params { // they are behind the first elements of all accumulators
		m.AddImm(s.first[q.Name], -s.step*accumulators)
	}
	if k.Columns {
		for _, a := range s.streams {
			if !a.Out {
				m.AddImm(s.ptr[a.Name], s.step)
			}
		}
	} else {
		m.Arg(s.left, "n")
		for _, q := range k.Params {
			m.AddBits(s.first[q.Name], s.left, 32)
		}
		m.Arg(s.left, "stride")
		for _, a := range s.streams {
			m.Add(s.ptr[a.Name], s.left)
		}
	}
	m.AddImm(s.groups, -1)
	m.Branch(s.groups, NotEqual, 0, "group")
	m.Ret()
}

// outer is what the outermost loop counts.
func (s *sums) outer() string {
	if s.k.Columns {
		return "candidates"
	}
	return "groups"
}

// unit is how many bits n counts.
func (s *sums) unit() int {
	if s.k.Columns {
		return 8
	}
	return 32
}

// shape says in words how the numbers are laid out.
func (s *sums) shape() []string {
	w := s.m.Width()
	if s.k.Columns {
		return []string{fmt.Sprintf("There are %d lanes, each a group, in rows of %d float32 or int32, an element of each group or a candidate's numbers for each of them.", w, columns),
			fmt.Sprintf("There are n bytes of elements, those of a multiple of %d rows and of 4096 at most, and candidates >= 1.", rowsAtOnce)}
	}
	return []string{fmt.Sprintf("There are %d lanes, groups >= 1 adjacent groups, and 0 <= n <= 4096 elements in each. The numbers of a group are", w),
		"stride bytes behind those of the group before it."}
}

// accumulators is the loop over all of them.
func (s *sums) accumulators() {
	m, k := s.m, s.k
	x := k.Params[0].Name
	m.Sub(s.left, s.left)
	m.AddImm(s.left, accumulators)
	m.Label("accumulators")
	s.run(s.open)
	for _, q := range k.Params {
		m.Move(s.ptr[q.Name], s.first[q.Name])
	}
	m.BranchReach(s.ptr[x], s.end, "shut")
	m.LoopHead("elements")
	s.run(s.element)
	for _, q := range k.Params {
		m.AddImm(s.ptr[q.Name], s.step*accumulators)
	}
	m.BranchBelow(s.ptr[x], s.end, "elements")
	m.Label("shut")
	s.run(s.shut)
	for _, q := range k.Params {
		m.AddImm(s.first[q.Name], s.step*s.ways)
	}
	m.AddImm(s.slot, 4*m.Width()*s.ways)
	m.AddImm(s.left, -s.ways)
	m.Branch(s.left, NotEqual, 0, "accumulators")
}

// describe is the header comment.
func (s *sums) describe() {
	var ptrs []string
	for _, a := range s.streams {
		ptrs = append(ptrs, s.m.GPRName(s.ptr[a.Name])+" "+a.Name)
	}
	for _, q := range s.k.Params {
		ptrs = append(ptrs, s.m.GPRName(s.ptr[q.Name])+" "+q.Name+", from "+s.m.GPRName(s.first[q.Name])+" on")
	}
	s.m.Comment("pointers: "+strings.Join(ptrs, ", "),
		s.m.GPRName(s.slot)+" the accumulator's place, "+s.m.GPRName(s.left)+" accumulators left, "+s.m.GPRName(s.groups)+" "+s.outer()+" left, "+s.m.GPRName(s.end)+" end of the elements",
		fmt.Sprintf("vector registers in use at once: %d", s.maxUsed[Vec]))
}
