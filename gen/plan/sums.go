package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lowbit-go/lowbit/gen/ir"
)

// A kernel of another shape sums a number over the elements of one group, for as many parameters of the group as a register has lanes. Its
// streams are the parameters, a number for each lane, and its parameters the elements, each of which goes to all lanes. The order of the sum
// is that of package kernels: element i goes to accumulator i%16, and then accumulator j+8 to j, j+4, j+2 and j+1.
// So there are two counted loops: over accumulators, and over the elements of one.

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
	lanes                *Seg // the parameters, and what follows from them alone
	open, element, shut  *Seg // an accumulator: made, added to, stored
	total                *Seg // of all accumulators
	out, slot, left, end GPR  // the result, the accumulator's place, how many are left, and the end of the elements
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
	s.build()
	if !s.allocate() {
		return p.fail("registers ran out")
	}
	s.print()
	return nil
}

// registers gives out the general ones.
func (s *sums) registers() error {
	regs := s.m.GPRs()
	names := []*GPR{&s.slot, &s.left, &s.end}
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
	acc := s.m.Zero(s.open)
	s.element = p.seg(s.open, false, 1)
	s.element.Add(s.m.Accumulate(acc, s.element.demand(term, 0)))
	s.shut = p.seg(s.open, false, 1)
	s.shut.Add(s.m.Spill(acc, Addr{Reg: s.slot}))
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
	f.Doc = append(strings.Split(f.Name+" "+k.Doc, "\n"), fmt.Sprintf("There are %d lanes, and 0 <= n <= 4096 elements.", m.Width()))
	m.Begin(f)
	s.describe()
	for _, a := range s.streams {
		m.Arg(s.ptr[a.Name], a.Name)
	}
	for _, q := range k.Params {
		m.Arg(s.first[q.Name], q.Name)
	}
	x := k.Params[0].Name
	m.Arg(s.ptr[x], "n")
	m.Move(s.end, s.first[x])
	m.AddBits(s.end, s.ptr[x], 32)
	m.Point(s.slot, Addr{Stack: true})
	m.Sub(s.left, s.left)
	m.AddImm(s.left, accumulators)
	s.run(s.lanes)
	m.Label("accumulator")
	s.run(s.open)
	for _, q := range k.Params {
		m.Move(s.ptr[q.Name], s.first[q.Name])
	}
	m.BranchReach(s.ptr[x], s.end, "shut")
	m.LoopHead("element")
	s.run(s.element)
	for _, q := range k.Params {
		m.AddImm(s.ptr[q.Name], 4*accumulators)
	}
	m.BranchBelow(s.ptr[x], s.end, "element")
	m.Label("shut")
	s.run(s.shut)
	for _, q := range k.Params {
		m.AddImm(s.first[q.Name], 4)
	}
	m.AddImm(s.slot, 4*m.Width())
	m.AddImm(s.left, -1)
	m.Branch(s.left, NotEqual, 0, "accumulator")
	s.run(s.total)
	m.Ret()
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
		s.m.GPRName(s.slot)+" the accumulator's place, "+s.m.GPRName(s.left)+" accumulators left, "+s.m.GPRName(s.end)+" end of the elements",
		fmt.Sprintf("vector registers in use at once: %d", s.maxUsed[Vec]))
}
