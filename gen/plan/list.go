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
	// LookUpTwo does a tile of E2M1 that is two groups, with the numbers that these are multiplied by, by tables that it makes.
	LookUpTwo(s *Seg, scales [2]V, from, to Addr)

	// Of codes of a byte that are floats some become words to which their exponents are added. ListPart is List for the first sixteen or the next,
	// where CheckScale does not jump as their products with a number may not all be such.
	CheckScale(s *Seg, scale V, otherwise string)
	CodesPart(s *Seg, part int) []V
	ListPart(s *Seg, part int, numbers []V) []V
	LookUpFloats(s *Seg, tables []V, from, to Addr)
}

// listed has a segment look up what another, before it, lists for a group, if the machine does that and the kernel makes one 16-bit result of
// one code. A kernel whose codes have no layout has a single such segment. Where two groups are a tile, each tile lists what it looks up.
func (p *planner) listed(sh *shape, tile func() *Seg) {
	m, ok := p.m.(Lister)
	load, store := p.mapping()
	if !ok || !m.Lists() || load == nil || sh.share > 2 || sh.name != "group" && load.Mem != ir.MemE2M1 {
		return
	}
	if sh.share == 2 {
		factor := store.Args[0].Args[1]
		sh.body = tile()
		m.LookUpTwo(sh.body, [2]V{sh.body.demand(factor, 0), sh.body.demand(factor, 2)}, sh.body.place(load, 0), sh.body.place(store, 0))
		return
	}
	switch load.Mem {
	case ir.MemE4M3:
		sh.look = p.listedFloats(sh, m, load, store, tile)
		return
	case ir.MemE2M1:
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

// lookUp is a loop before the ordinary one, which does what it leaves.
type lookUp struct{ list, tile *Seg }

// listedFloats makes the tables and the tile of such a loop. An alarm leaves it.
func (p *planner) listedFloats(sh *shape, m Lister, load, store *ir.Node, tile func() *Seg) *lookUp {
	l := &lookUp{tile(), tile()}
	l.tile.alarm = sh.at(atLoop)
	m.CheckScale(l.list, l.list.demand(store.Args[0].Args[1], 0), sh.at(atLoop))
	var tables []V
	for part := range 2 {
		var numbers []V
		for i, v := range m.CodesPart(l.list, part) {
			l.list.vals[[2]int{load.ID, i}] = v
			delete(l.list.vals, [2]int{store.Args[0].ID, i})
			numbers = append(numbers, l.list.demand(store.Args[0], i))
		}
		tables = append(tables, m.ListPart(l.list, part, numbers)...)
	}
	for _, n := range p.k.Nodes {
		if early(n) && l.tile.wants(n) {
			l.tile.emit(n, 0)
		}
	}
	m.LookUpFloats(l.tile, tables, l.tile.place(load, 0), l.tile.place(store, 0))
	return l
}

// print prints it.
func (l *lookUp) print(p *printer, sh *shape, count GPR, tile int, end string) {
	m := p.m
	m.Branch(count, Less, fewTiles*tile, sh.at(atLoop))
	p.run(l.list)
	m.LoopHead(sh.at(atAhead))
	p.round(sh, l.tile, count, tile, sh.at(atAhead), end, func() { p.run(l.tile) })
	m.Jump(end)
}

// mapping are the load and the store of a kernel that makes an element of float16 or bfloat16 of each code.
func (p *planner) mapping() (load, store *ir.Node) {
	if len(p.streams) != 2 || !p.streams[0].Out || p.streams[0].Mem != ir.MemNarrow || !p.k.Grouped() {
		return nil, nil
	}
	for _, n := range p.k.Nodes {
		switch {
		case n.Rare:
		case n.Op == ir.OpLoad && (n.Mem == ir.MemCodes || n.Mem == ir.MemE2M1 || n.Mem == ir.MemE4M3):
			load = n
		case n.Op == ir.OpStore:
			store = n
		}
	}
	return load, store
}

// lists are the segments of a shape that list results, and those of a loop before the ordinary one.
func (sh *shape) lists() (lists []*Seg) {
	for _, s := range sh.apart {
		if s.list != nil {
			lists = append(lists, s.list)
		}
	}
	if sh.look != nil {
		lists = append(lists, sh.look.list, sh.look.tile)
	}
	return lists
}
