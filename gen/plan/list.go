package plan

import "github.com/lowbit-go/lowbit/gen/ir"

// A code of four bits or fewer can become sixteen results. Where those are short, a group of a tile or more has them all computed
// once, and its tiles look them up: no element is converted, scaled and rounded by itself.

// Lister is a machine that does so for results of 16 bits.
type Lister interface {
	Lists() bool
	// Codes are the values of the codes that a load may find, in one register or two.
	Codes(s *Seg, load *ir.Node) []V
	// List makes tables of the bytes of what they become, the lower ones and the upper ones, and LookUp does a tile by these.
	List(s *Seg, load *ir.Node, numbers []V) (low, high V)
	LookUp(s *Seg, load *ir.Node, low, high V, from, to Addr)
}

// listed has a segment look up what another, before it, lists for a group, if the machine does that and the kernel makes one 16-bit result of
// one code. A kernel whose codes have no layout has a single such segment.
func (p *planner) listed(sh *shape, tile func() *Seg) {
	m, ok := p.m.(Lister)
	load, store := p.mapping()
	if !ok || !m.Lists() || load == nil || sh.name != "group" {
		return
	}
	if load.Mem == ir.MemE2M1 {
		s := tile()
		s.layout = ir.LayoutNibbles
		sh.apart = []*Seg{s}
	}
	for i, s := range sh.apart {
		if s.layout != ir.LayoutNibbles && s.layout != ir.LayoutCrumbs {
			continue
		}
		list, look := tile(), tile()
		list.layout, look.layout, look.list = s.layout, s.layout, list
		var numbers []V
		for i, v := range m.Codes(list, load) {
			list.vals[[2]int{load.ID, i}] = v
			numbers = append(numbers, list.demand(store.Args[0], i))
		}
		low, high := m.List(list, load, numbers)
		m.LookUp(look, load, low, high, look.place(load, 0), look.place(store, 0))
		sh.apart[i] = look
	}
}

// mapping are the load and the store of a kernel that makes an element of float16 or bfloat16 of each code of few bits.
func (p *planner) mapping() (load, store *ir.Node) {
	if len(p.streams) != 2 || !p.streams[0].Out || p.streams[0].Mem != ir.MemNarrow || !p.k.Grouped() {
		return nil, nil
	}
	for _, n := range p.k.Nodes {
		switch {
		case n.Op == ir.OpLoad && (n.Mem == ir.MemCodes || n.Mem == ir.MemE2M1):
			load = n
		case n.Op == ir.OpStore:
			store = n
		}
	}
	return load, store
}

// lists are the segments of a shape that list results.
func (sh *shape) lists() (lists []*Seg) {
	for _, s := range sh.apart {
		if s.list != nil {
			lists = append(lists, s.list)
		}
	}
	return lists
}
