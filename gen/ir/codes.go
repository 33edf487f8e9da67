package ir

// A kernel that writes blocks is a Block too. What it goes through is four blocks at a time, or as many as have 128
// elements: their codes are narrowed together, four times sixteen bytes, and each sixteen of them stored in its block. The
// parameters of blocks are streams of their own.

// What a kernel that writes blocks goes through at a time, and one that writes codes alone.
const (
	WrittenAtOnce = 128
	CodedAtOnce   = 64
)

// NewWriter begins such a kernel, for blocks of so many bytes and elements.
func NewWriter(file, family, doc string, bytes, length int, variants ...Variant) (*Kernel, *Block) {
	return newWriter(New(file, family, doc, variants...), bytes*WrittenAtOnce/length, WrittenAtOnce)
}

// NewCoder begins a kernel that writes codes, a byte each.
func NewCoder(file, family, doc string) (*Kernel, *Block) {
	return newWriter(New(file, family, doc), CodedAtOnce, CodedAtOnce)
}

func newWriter(k *Kernel, bytes, length int) (*Kernel, *Block) {
	k.Block = &Block{Bytes: bytes, Len: length, Writes: true, k: k, memo: map[string]*BlockNode{}, steps: map[string]int{"x": 4 * length}}
	k.stream(codes, MemU8, true)
	k.stream("x", MemF32, false)
	return k, k.Block
}

// NewMover begins a kernel that moves sixteens of bytes between streams, each of which advances by a step.
func NewMover(file, family, doc string, variants ...Variant) (*Kernel, *Block) {
	k := New(file, family, doc, variants...)
	k.Block = &Block{Writes: true, k: k, memo: map[string]*BlockNode{}, steps: map[string]int{}}
	return k, k.Block
}

// Move loads sixteen bytes of a stream of float32.
func (b *Block) Move(name string, off, step int) *BlockNode {
	b.stream(name, MemF32, step, false)
	return b.add(BlockNode{Op: BlockLoad, Type: BlockBytes, Name: name, Off: off})
}

// Quads loads four times sixteen bytes of one, so far apart.
func (b *Block) Quads(name string, off, apart, step int) *BlockNode {
	b.stream(name, MemF32, step, false)
	return b.add(BlockNode{Op: BlockQuads, Type: BlockCodes, Name: name, Off: off, To: apart})
}

// PutBytes stores them in one, of Quads one behind the other.
func (b *Block) PutBytes(name string, off, step int, v *BlockNode) {
	op := BlockStore
	if v.Type != BlockCodes {
		v.want("PutBytes", BlockBytes)
		op = BlockPutBytes
	}
	b.stream(name, MemF32, step, true)
	b.add(BlockNode{Op: op, Args: []*BlockNode{v}, Name: name, Off: off})
}

// stream is one with its own step.
func (b *Block) stream(name string, m Mem, step int, out bool) {
	b.k.stream(name, m, out)
	if old, ok := b.steps[name]; ok && old != step {
		panic("ir: stream " + name + " has two steps")
	}
	b.steps[name] = step
}

// Elements are sixteen, from one on.
func (b *Block) Elements(first int) *BlockNode {
	return b.add(BlockNode{Op: BlockRow, Type: BlockFloats, Name: "x", Off: 4 * first})
}

// Element is number i of a stream that has so many at a time.
func (b *Block) Element(name string, i, step int) *BlockNode {
	b.stream(name, MemF32, 4*step, false)
	return b.add(BlockNode{Op: BlockElement, Type: BlockNumber, Name: name, Off: 4 * i})
}

// Copy copies bytes of a stream that advances by a step.
func (b *Block) Copy(to int, name string, from, bytes, step int) {
	b.inside(to, bytes)
	b.stream(name, MemU8, step, false)
	b.add(BlockNode{Op: BlockCopy, Name: name, Off: from, To: to, Count: bytes})
}

// Narrow has four times sixteen integers as bytes, signed or not, in an order that the machine likes. It may saturate.
func (b *Block) Narrow(v [4]*BlockNode, signed bool) *BlockNode {
	for _, v := range v {
		v.want("Narrow", BlockInts)
	}
	return b.add(BlockNode{Op: BlockNarrow, Type: BlockCodes, Args: v[:], Signed: signed})
}

// Codes is the same byte in all places.
func (b *Block) Codes(v byte) *BlockNode { return b.All(v).Repeated() }

// Repeated is four times the same constant.
func (n *BlockNode) Repeated() *BlockNode {
	n.want("Repeated", BlockBytes)
	if n.Op != BlockConst {
		panic("ir: Repeated of what is no constant")
	}
	return n.b.add(BlockNode{Op: BlockConst, Type: BlockCodes, Bytes: n.Bytes})
}

// Ordered has narrowed bytes in order.
func (n *BlockNode) Ordered() *BlockNode {
	n.want("Ordered", BlockCodes)
	return n.b.add(BlockNode{Op: BlockOrder, Type: BlockCodes, Args: []*BlockNode{n}})
}

// Least and Most are of signed bytes.
func (n *BlockNode) Least(c *BlockNode) *BlockNode { return n.bytes(BlockLeast, c) }
func (n *BlockNode) Most(c *BlockNode) *BlockNode  { return n.bytes(BlockMost, c) }

// Put stores one sixteen of bytes that are in order, or two.
func (b *Block) Put(off int, v *BlockNode, first, count int) {
	v.want("Put", BlockCodes)
	b.inside(off, 16*count)
	b.add(BlockNode{Op: BlockPut, Args: []*BlockNode{v}, Name: codes, Off: off, First: first, Count: count})
}

// PutEights stores the first eight of each sixteen bytes in one place, and the last eight in another.
func (b *Block) PutEights(first, last int, v *BlockNode) {
	v.want("PutEights", BlockCodes)
	b.inside(first, 32)
	b.inside(last, 32)
	b.add(BlockNode{Op: BlockPutEights, Args: []*BlockNode{v}, Name: codes, Off: first, To: last})
}

// PutBits stores for each sixteen bytes, at places so far apart, which of them have a bit.
func (b *Block) PutBits(off, apart int, v, bit *BlockNode) {
	v.want("PutBits", BlockCodes)
	bit.want("PutBits", BlockCodes)
	b.inside(off+3*apart, 2)
	b.add(BlockNode{Op: BlockPutBits, Args: []*BlockNode{v, bit}, Name: codes, Off: off, To: apart})
}
