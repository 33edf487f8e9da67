package ir

import "slices"

// SearchGroups is how many groups a search has side by side in memory: all rows fit the first cache. A machine does as many at a time as two of its
// registers hold, a strip, of which there are two at least.
const SearchGroups = 64

// TryNumbers is how many numbers a try has.
const TryNumbers = 4

// Search is a kernel that tries numbers for groups side by side. Its steps have formulas of their own: some run over the
// rows, which are the same element of all groups, and some once, and what they find they leave among the numbers of the
// groups (StoreLane). It does all steps of a stage for one strip before the next, so that what waits in one is hidden by
// another, and the tried stages, which are the last ones, again for every try.
type Search struct {
	Stages []*Stage
	Choice bool // an argument says which of two steps is done
	k      *Kernel
}

// Stage is a part of a search.
type Stage struct {
	Tried bool
	Steps []*Block
	s     *Search
}

// NewSearch begins such a kernel. Its arguments are the rows, the numbers of the groups, those of the tries and how many there
// are, the number of rows, and four times the number of groups.
func NewSearch(file, family, doc string, variants ...Variant) (*Kernel, *Search) {
	k := New(file, family, doc, variants...)
	k.Search = &Search{k: k}
	return k, k.Search
}

// Stage begins a stage.
func (s *Search) Stage(tried bool) *Stage {
	g := &Stage{Tried: tried, s: s}
	s.Stages = append(s.Stages, g)
	return g
}

func (g *Stage) step(rows bool) *Block {
	b := g.s.block(rows)
	g.Steps = append(g.Steps, b)
	return b
}

func (s *Search) block(rows bool) *Block {
	return &Block{Groups: SearchGroups, Rows: rows, memo: map[string]*BlockNode{}, steps: map[string]int{}, k: s.k}
}

// Rows adds a step over the rows, and Numbers one without.
func (g *Stage) Rows() *Block    { return g.step(true) }
func (g *Stage) Numbers() *Block { return g.step(false) }

// Either adds two steps over the rows: the other is done where the argument choice is a number, and one elsewhere.
func (g *Stage) Either(choice int) (one, other *Block) {
	one = g.Rows()
	other = g.other(one)
	other.Choice, g.s.Choice = choice, true
	return one, other
}

// Before is a step that is done instead of another in all tries but so many, the last ones.
func (g *Stage) Before(tries int, one *Block) *Block {
	other := g.other(one)
	other.Before = tries
	return other
}

func (g *Stage) other(one *Block) *Block {
	other := g.s.block(true)
	one.Others = append(one.Others, other)
	return other
}

// Table is the number of a table that the low five bits of v say, for machines that have such tables.
func (b *Block) Table(v *BlockNode, table [32]float32) *BlockNode {
	v.want("Table", BlockFloats)
	return b.add(BlockNode{Op: BlockTable, Type: BlockFloats, Args: []*BlockNode{v, b.Numbers([16]float32(table[:16])), b.Numbers([16]float32(table[16:]))}})
}

// Among is value i of v that is at least i of the places, which ascend, for machines that have tables of eight numbers. The values are from 255 integers.
func (b *Block) Among(v *BlockNode, places [15]float32, values [16]int8) *BlockNode {
	v.want("Among", BlockFloats)
	fours := func(first, step int) *BlockNode {
		var t [16]float32
		for i := range t {
			t[i] = places[first+step*(i%4)]
		}
		return b.Numbers(t)
	}
	place := b.add(BlockNode{Op: BlockAmong, Type: BlockInts, Args: []*BlockNode{v, b.Each(places[7]), b.Each(places[3]), b.Each(places[11]), fours(1, 4), fours(0, 2), fours(8, 2)}})
	return place.Lookup(values).Float()
}

// Lookup is the number of a table that n, from 0 to 15, says.
func (n *BlockNode) Lookup(table [16]int8) *BlockNode {
	n.want("Lookup", BlockInts)
	least := slices.Min(table[:])
	var above [16]byte
	same := true
	for i, v := range table {
		above[i] = byte(v - least)
		same = same && int(v) == i
	}
	if same {
		return n
	}
	t := n.b.add(BlockNode{Op: BlockConst, Type: BlockInts, Bytes: string(above[:])})
	found := n.b.add(BlockNode{Op: BlockShuffle, Type: BlockInts, Args: []*BlockNode{t, n}})
	return found.Plus(int32(least) - int32(above[0])*0x01010100) // n's other bytes, which are 0, look up a number too
}

// Tabled is n, of tables of 32 numbers, where a machine has those, eights where it has those of eight, and otherwise what gives the same.
func (n *BlockNode) Tabled(eights, otherwise *BlockNode) *BlockNode {
	if n.Type != BlockNumber {
		n.want("Tabled", BlockFloats)
	}
	return n.b.add(BlockNode{Op: BlockTabled, Type: n.Type, Args: []*BlockNode{n, eights, otherwise}})
}

// Try is number i of the try.
func (b *Block) Try(i int) *BlockNode {
	return b.add(BlockNode{Op: BlockElement, Type: BlockNumber, Name: "tries", Off: 4 * i})
}

// Carry is number i of each group as the rows so far have left it.
func (b *Block) Carry(i int) *BlockNode {
	return b.add(BlockNode{Op: BlockCarry, Type: BlockFloats, Off: 4 * b.Groups * i})
}

// Carried sets what is carried to the next row; the formula sees what was before.
func (n *BlockNode) Carried(v *BlockNode) {
	v.want("Carried", BlockFloats)
	n.b.add(BlockNode{Op: BlockCarried, Args: []*BlockNode{n, v}, Off: n.Off})
}

// Sqrt is the square root.
func (n *BlockNode) Sqrt() *BlockNode {
	n.want("Sqrt", BlockFloats)
	return n.b.add(BlockNode{Op: BlockSqrt, Type: BlockFloats, Args: []*BlockNode{n}})
}

// Round is the nearest integer, half to even, as a float32.
func (n *BlockNode) Round() *BlockNode {
	n.want("Round", BlockFloats)
	return n.b.add(BlockNode{Op: BlockRound, Type: BlockFloats, Args: []*BlockNode{n}})
}

// Uses tells whether a step loads or stores rows of a stream.
func (b *Block) Uses(stream string) bool {
	for _, n := range b.Nodes {
		if n.Name == stream && (n.Op == BlockRow || n.Op == BlockStore) {
			return true
		}
	}
	return false
}
