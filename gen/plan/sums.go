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
// So there are three counted loops: over groups, over accumulators, several at a time if the length allows it, and over the elements of one.

// accumulators is how many there are.
const accumulators = 16

// Summer is a machine that sums.
type Summer interface {
	Machine
	Accumulate(acc, v V) Inst // acc += v
}

// sums is such a function before printing.
type sums struct {
	*printer
	m                    Summer
	ways                 int    // accumulators at a time
	lanes                *Seg   // the parameters, and what follows from them alone
	open                 *Seg   // makes accumulators
	elements             []*Seg // adds an element to one of them
	shut, shutOne        *Seg   // stores them, or the first of them
	total                *Seg   // of all accumulators
	out, slot, left, end GPR    // the result, the accumulator's place, how many are left, and the end of the elements
	groups               GPR    // left
	first                map[string]GPR
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
	s := &sums{printer: &printer{planner: p}, m: m, first: map[string]GPR{}}
	if err := s.registers(); err != nil {
		return err
	}
	for s.ways = 2; ; s.ways /= 2 {
		if s.ways == 0 {
			return p.fail("registers ran out")
		}
		s.maxUsed = [classes]int{}
		if s.build(); s.allocate() {
			break
		}
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
	var term *ir.Node
	for _, n := range p.k.Nodes {
		varies[n.ID] = n.Op == ir.OpParam || slices.ContainsFunc(p.operands(n), func(a *ir.Node) bool { return varies[a.ID] })
		if n.Op == ir.OpStore {
			term, s.out = n.Args[0], p.ptr[n.Name]
		}
	}
	s.lanes = p.seg(nil, false, 1)
	for _, a := range p.streams {
		s.lanes.at[a.Name] = Addr{Reg: p.ptr[a.Name]}
	}
	for _, n := range p.k.Nodes {
		for _, a := range p.operands(n) {
			if a = same(a, false); varies[n.ID] && !varies[a.ID] {
				s.lanes.demand(a, 0)
			}
		}
	}
	s.open = p.seg(s.lanes, false, 1)
	s.elements, s.shut, s.shutOne = nil, p.seg(s.open, false, 1), p.seg(s.open, false, 1)
	for i := range s.ways {
		acc := s.m.Zero(s.open)
		e := p.seg(s.open, false, 1)
		e.next = i
		e.Add(s.m.Accumulate(acc, e.demand(term, 0)))
		s.elements = append(s.elements, e)
		s.shut.Add(s.m.Spill(acc, Addr{Reg: s.slot, Disp: 4 * s.m.Width() * i}))
		if i == 0 {
			s.shutOne.Add(s.m.Spill(acc, Addr{Reg: s.slot}))
		}
	}
	s.total = p.seg(nil, false, 1)
	s.total.Add(s.m.Spill(s.sum(0, 1), Addr{Reg: s.out}))
}

// sum is the sum of the accumulators from j on that are multiples of step apart from it, the farther ones added first.
func (s *sums) sum(j, step int) V {
	if step == accumulators {
		v := s.total.New(Vec)
		s.total.Add(s.m.Fill(v, Addr{Stack: true, Disp: 4 * s.m.Width() * j}))
		return v
	}
	a, b := s.sum(j, 2*step), s.sum(j+step, 2*step)
	s.total.Add(s.m.Accumulate(a, b))
	return a
}

// allocate places everything in vector registers.
func (s *sums) allocate() bool {
	s.alloc = allocation{}
	pins := map[V]int{}
	all := append(append([]*Seg{s.lanes, s.open}, s.elements...), s.shut, s.shutOne, s.total)
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
	f.Doc = append(strings.Split(f.Name+" "+k.Doc, "\n"), fmt.Sprintf("There are %d lanes, groups >= 1 adjacent groups, and 0 <= n <= 4096 elements in each. The numbers of a group are", m.Width()),
		"stride bytes behind those of the group before it.")
	m.Begin(f)
	s.describe()
	for _, a := range s.streams {
		m.Arg(s.ptr[a.Name], a.Name)
	}
	for _, q := range k.Params {
		m.Arg(s.first[q.Name], q.Name)
	}
	m.Arg(s.groups, "groups")
	x := k.Params[0].Name
	m.Label("group")
	m.Arg(s.left, "n")
	m.Move(s.end, s.first[x])
	m.AddBits(s.end, s.left, 32)
	m.Point(s.slot, Addr{Stack: true})
	s.run(s.lanes)
	if s.ways > 1 {
		m.BranchMultiple(s.left, s.ways, "several")
		s.accumulators("one", s.elements[:1], s.shutOne)
		m.Jump("total")
		m.Label("several")
	}
	s.accumulators("all", s.elements, s.shut)
	m.Label("total")
	s.run(s.total)
	for _, q := range k.Params { // they are behind the first elements of all accumulators
		m.AddImm(s.first[q.Name], -4*accumulators)
		m.Arg(s.left, "n")
		m.AddBits(s.first[q.Name], s.left, 32)
	}
	m.Arg(s.left, "stride")
	for _, a := range s.streams {
		m.Add(s.ptr[a.Name], s.left)
	}
	m.AddImm(s.groups, -1)
	m.Branch(s.groups, NotEqual, 0, "group")
	m.Ret()
}

// accumulators is the loop over all accumulators, some at a time.
func (s *sums) accumulators(name string, elements []*Seg, shut *Seg) {
	m, k, ways := s.m, s.k, len(elements)
	x := k.Params[0].Name
	m.Sub(s.left, s.left)
	m.AddImm(s.left, accumulators)
	m.Label(name + "accumulators")
	s.run(s.open)
	for _, q := range k.Params {
		m.Move(s.ptr[q.Name], s.first[q.Name])
	}
	m.BranchReach(s.ptr[x], s.end, name+"shut")
	m.LoopHead(name + "elements")
	for _, e := range elements {
		s.run(e)
	}
	for _, q := range k.Params {
		m.AddImm(s.ptr[q.Name], 4*accumulators)
	}
	m.BranchBelow(s.ptr[x], s.end, name+"elements")
	m.Label(name + "shut")
	s.run(shut)
	for _, q := range k.Params {
		m.AddImm(s.first[q.Name], 4*ways)
	}
	m.AddImm(s.slot, 4*m.Width()*ways)
	m.AddImm(s.left, -ways)
	m.Branch(s.left, NotEqual, 0, name+"accumulators")
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
		s.m.GPRName(s.slot)+" the accumulator's place, "+s.m.GPRName(s.left)+" accumulators left, "+s.m.GPRName(s.groups)+" groups left, "+s.m.GPRName(s.end)+" end of the elements",
		fmt.Sprintf("vector registers in use at once: %d", s.maxUsed[Vec]))
}
