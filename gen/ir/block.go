package ir

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Block is the formula of a kernel over whole blocks that follow each other in memory, each with its scales beside its
// codes. It is straight-line code for one block: what it loads and stores lies at constant distances from where the
// block, and the block's elements, begin. A value is of sixteen elements, or one number for all of them.
type Block struct {
	Bytes, Len int // what a block takes in memory, and its number of elements
	Nodes      []*BlockNode
	Listed     bool     // a table of 256 float32 is an argument
	Stashes    int      // values of sixteen float32 that are kept in the frame
	Groups     int      // if it is for rows of groups, how many there are
	Rows       bool     // of a search: it runs over rows, and not once
	Others     []*Block // which are done instead of it, the first for which it is so
	Choice     int      // if the argument choice is that, which is not 0,
	Before     int      // or if more tries are left
	Tables     []int    // it is for machines whose tables are of so many numbers only, if any are said
	Writes     bool     // it writes blocks
	Repeats    int      // parts of it that are alike, 0 if no such are said
	Halves     bool     // elements are float16 or bfloat16, as an argument says: what rounds and stores them advances the pointer

	k     *Kernel
	memo  map[string]*BlockNode
	turn  int            // that is recorded
	steps map[string]int // of streams that advance in another way than elements and blocks, or rows
}

// The streams of a kernel over blocks.
const elements, codes = "y", "blocks"

// Step is how far a stream advances.
func (b *Block) Step(stream string) int {
	step, ok := b.steps[stream]
	switch {
	case ok:
		return step
	case b.Groups > 0:
		return 4 * b.Groups
	case stream == elements && b.Halves: // what stores has advanced it
		return 0
	case stream == elements:
		return 4 * b.Len
	}
	return b.Bytes
}

// BlockType is what a value of a Block is.
type BlockType uint8

// Types: sixteen bytes, sixteen float32, a float32 that is the same for all sixteen, sixteen int32, four times
// sixteen bytes, where of sixteen something holds, and twice sixteen bytes in such an order that both widen well.
const (
	BlockNone BlockType = iota
	BlockBytes
	BlockFloats
	BlockNumber
	BlockInts
	BlockCodes
	BlockMask
	BlockTwos
)

// BlockOp is an operation of a Block.
type BlockOp uint8

// Operations. Those on bytes wrap.
const (
	BlockLoad      BlockOp = iota // sixteen bytes of the block
	BlockConst                    // sixteen bytes
	BlockAnd                      // a & b
	BlockOr                       // a | b
	BlockLess                     // a - b
	BlockShr                      // a >> a constant; anything may be shifted in
	BlockShl                      // a << a constant; likewise
	BlockShuffle                  // the byte of a that b says; 0 where b is 128 or more
	BlockAny                      // c where a has the bit of b, one in each byte, else 0
	BlockLower                    // the first eight bytes of a, then those of b
	BlockUpper                    // the last eight bytes of a, then those of b
	BlockWiden                    // bytes as float32, signed or not; without an argument those of the block
	BlockFloat16                  // the float16 of the block as a number
	BlockListed                   // the number of the table that a byte of the block says
	BlockNegate                   // a number with the other sign
	BlockAdd                      // a + b
	BlockSub                      // a - b
	BlockMul                      // a * b
	BlockMax                      // the larger number
	BlockMin                      // the smaller number
	BlockMulAdd                   // a*b + c, of a product that is exact
	BlockStash                    // keeps sixteen float32 in the frame
	BlockPick                     // one of those as a number
	BlockRow                      // sixteen float32 of a row
	BlockLane                     // sixteen numbers that are arguments
	BlockEach                     // a constant number
	BlockStore                    // stores sixteen float32
	BlockSum                      // adds to a sum
	BlockDiv                      // a / b
	BlockAtLeast                  // where a >= b
	BlockSigned                   // the bits of a that b has, and those of c
	BlockTruncate                 // to an integer, toward zero
	BlockNearest                  // to an integer, half to even
	BlockFloat                    // from an integer
	BlockPlus                     // a + b, integers
	BlockShr32                    // a >> a constant, integers without a sign
	BlockShl32                    // a << a constant
	BlockAs                       // the same bits as another type
	BlockElement                  // a number of a stream
	BlockNarrow                   // four times sixteen integers to bytes, in an order that the machine likes
	BlockOrder                    // such bytes in order
	BlockLeast                    // the smaller of signed bytes
	BlockMost                     // the larger
	BlockPut                      // stores sixteen or 32 of the bytes
	BlockPutEights                // stores the first eight of each sixteen in one place, and the last eight in another
	BlockPutBits                  // stores sixteen bits for each sixteen bytes
	BlockCopy                     // copies bytes of a stream
	BlockStoreHalf                // stores sixteen float32 as float16
	BlockLower32                  // the first two fours of bytes of a and b, in turn
	BlockUpper32                  // the last two
	BlockPutBytes                 // stores sixteen bytes in a stream
	BlockQuads                    // four sixteens of bytes of a stream, which lie apart
	BlockAbove                    // where a > b
	BlockChoose                   // b where a says so, else c
	BlockSqrt                     // the square root
	BlockRound                    // to an integer, half to even
	BlockTable                    // of two tables of sixteen the number that the low five bits say
	BlockSixteenth                // of a table of sixteen the number that the low four bits of a say
	BlockAmong                    // how many of fifteen places are at most a
	BlockTabled                   // a on machines that have tables of 32 numbers, b on those of eight, c on others
	BlockSpread                   // sixteen bytes of the block as integers without a sign
	BlockLoadTwos                 // twice sixteen bytes of the block
	BlockSame                     // sixteen bytes of the block, or eight, or four, as often as a register has room for them, in their own order
	BlockShrEach                  // each 32 bits of a >> a number of b
	BlockWidenTwos                // one of two sixteens of bytes as integers, at the bottom or at the top
	BlockFourth                   // of four numbers the one that the low two bits of a say
	BlockTimes                    // integers of 15 bits times another
	BlockSelect                   // the bits of a that b has, and those of c that it has not
	BlockPair                     // two float16 of the block, in turn
	BlockEven                     // the first of such two as a number
	BlockOdd                      // the second
	BlockQuarters                 // sixteen bytes of the block twice, or 32 once, in such an order that a routine brings what it looks up for them in order
	BlockScaled                   // rounds 32 bytes of the block, signed, times a number to elements and stores them
	BlockLookedUp                 // rounds a table of sixteen float32, and stores what it has for 32 codes
	BlockCarry                    // numbers as the rows before have left them
	BlockCarried                  // sets those of a to b for the rows behind
	BlockFinite                   // leaves +0 or -0 in the call's check if a number is finite, and makes it a NaN if it is not
)

// BlockNode is one recorded operation; in formulas it is a value.
type BlockNode struct {
	Op     BlockOp
	Type   BlockType
	Args   []*BlockNode
	Name   string // of the stream that is loaded or stored
	Off    int    // of loads, stores and stashes, in bytes; a count of bits, or the bits of a constant number
	Bytes  string // of constants
	Signed bool
	To     int // of copies, and of other stores in two places; how far sixteens lie apart
	First  int // the first sixteen bytes that are stored
	Count  int // how many sixteens are stored, how many bytes are copied, or how many there are from a float16 on
	Turn   int // of Turns, from 1 on; of those of several the first
	ID     int

	b *Block
}

// Key tells nodes apart that have the same operands.
func (n *BlockNode) Key() string {
	return fmt.Sprint(n.Op, n.Type, n.Name, n.Off, n.To, n.First, n.Count, n.Signed, n.Bytes)
}

// NewBlock begins a kernel over blocks.
func NewBlock(file, family, doc string, bytes, length int, variants ...Variant) (*Kernel, *Block) {
	k := New(file, family, doc, variants...)
	k.Block = &Block{Bytes: bytes, Len: length, k: k, memo: map[string]*BlockNode{}}
	k.stream(elements, MemF32, true)
	k.stream(codes, MemU8, false)
	return k, k.Block
}

// NewHalfBlock begins one whose elements are of 16 bits: it has Scaled and LookedUp instead of Store, in the order of the elements.
func NewHalfBlock(file, family, doc string, bytes, length int, variants ...Variant) (*Kernel, *Block) {
	k := New(file, family, doc, variants...)
	k.UpTo256 = true
	k.Block = &Block{Bytes: bytes, Len: length, Halves: true, k: k, memo: map[string]*BlockNode{}}
	k.stream(elements, MemNarrow, true)
	k.stream(codes, MemU8, false)
	return k, k.Block
}

func (b *Block) add(n BlockNode) *BlockNode {
	key := n.Key()
	for _, a := range n.Args {
		key += fmt.Sprint(" ", a.ID)
	}
	if old := b.memo[key]; old != nil {
		return old
	}
	n.ID, n.b, n.Turn = len(b.Nodes), b, b.turn
	b.Nodes = append(b.Nodes, &n)
	b.memo[key] = &n
	return &n
}

func (n *BlockNode) want(op string, t BlockType) {
	if n.Type != t {
		panic(fmt.Sprintf("ir: %s of type %d in a block", op, n.Type))
	}
}

// Turns records parts of a block that are alike but for where they read and write, each as far from the one before.
func (b *Block) Turns(n int, record func(turn int)) {
	b.Repeats = n
	for turn := range n {
		b.turn = turn + 1
		record(turn)
	}
	b.turn = 0
}

// inside panics unless a block has so many bytes from an offset on.
func (b *Block) inside(off, bytes int) {
	if off < 0 || off+bytes > b.Bytes {
		panic(fmt.Sprintf("ir: bytes %d to %d of a block of %d", off, off+bytes, b.Bytes))
	}
}

// Load is sixteen bytes of the block.
func (b *Block) Load(off int) *BlockNode {
	b.inside(off, 16)
	return b.add(BlockNode{Op: BlockLoad, Type: BlockBytes, Name: codes, Off: off})
}

// Const is sixteen bytes.
func (b *Block) Const(bytes [16]byte) *BlockNode {
	return b.add(BlockNode{Op: BlockConst, Type: BlockBytes, Bytes: string(bytes[:])})
}

// All is sixteen times the same byte.
func (b *Block) All(v byte) *BlockNode {
	var bytes [16]byte
	for i := range bytes {
		bytes[i] = v
	}
	return b.Const(bytes)
}

func (n *BlockNode) bytes(op BlockOp, args ...*BlockNode) *BlockNode {
	args = append([]*BlockNode{n}, args...)
	if n.Type != BlockCodes && n.Type != BlockTwos {
		n.want("bytes", BlockBytes)
	}
	for _, a := range args {
		a.want("bytes", n.Type)
	}
	return n.b.add(BlockNode{Op: op, Type: n.Type, Args: args})
}

func (n *BlockNode) And(c *BlockNode) *BlockNode           { return n.bytes(BlockAnd, c) }
func (n *BlockNode) Or(c *BlockNode) *BlockNode            { return n.bytes(BlockOr, c) }
func (n *BlockNode) Less(c *BlockNode) *BlockNode          { return n.bytes(BlockLess, c) }
func (n *BlockNode) Shuffle(from *BlockNode) *BlockNode    { return n.bytes(BlockShuffle, from) }
func (n *BlockNode) Any(bits, value *BlockNode) *BlockNode { return n.bytes(BlockAny, bits, value) }
func (n *BlockNode) Lower(c *BlockNode) *BlockNode         { return n.bytes(BlockLower, c) }
func (n *BlockNode) Upper(c *BlockNode) *BlockNode         { return n.bytes(BlockUpper, c) }

// Lower32 has the first two fours of bytes of n and c in turn, Upper32 the last two.
func (n *BlockNode) Lower32(c *BlockNode) *BlockNode { return n.bytes(BlockLower32, c) }
func (n *BlockNode) Upper32(c *BlockNode) *BlockNode { return n.bytes(BlockUpper32, c) }

// Shift is n << count, or n >> -count; anything may be shifted in.
func (n *BlockNode) Shift(count int) *BlockNode {
	if n.Type != BlockCodes && n.Type != BlockTwos {
		n.want("Shift", BlockBytes)
	}
	switch {
	case count > 0:
		return n.b.add(BlockNode{Op: BlockShl, Type: n.Type, Args: []*BlockNode{n}, Off: count})
	case count < 0:
		return n.b.add(BlockNode{Op: BlockShr, Type: n.Type, Args: []*BlockNode{n}, Off: -count})
	}
	return n
}

// Widen has bytes as float32.
func (n *BlockNode) Widen(signed bool) *BlockNode {
	n.want("Widen", BlockBytes)
	w := BlockNode{Op: BlockWiden, Type: BlockFloats, Name: codes, Signed: signed}
	if n.Op == BlockLoad {
		w.Off = n.Off
	} else {
		w.Args = []*BlockNode{n}
	}
	return n.b.add(w)
}

// Numbers are sixteen constants, for machines that have tables of as many.
func (b *Block) Numbers(numbers [16]float32) *BlockNode {
	var bytes []byte
	for _, f := range numbers {
		bytes = binary.LittleEndian.AppendUint32(bytes, math.Float32bits(f))
	}
	return b.add(BlockNode{Op: BlockConst, Type: BlockFloats, Bytes: string(bytes)})
}

// Spread is what Load loads, as integers, for machines that have tables of numbers; and so are those below.
func (b *Block) Spread(off int) *BlockNode {
	b.inside(off, 16)
	return b.add(BlockNode{Op: BlockSpread, Type: BlockInts, Name: codes, Off: off})
}

// LoadTwos is what Load loads, and sixteen bytes more.
func (b *Block) LoadTwos(off int) *BlockNode {
	b.inside(off, 32)
	var words []byte
	for i := range 8 {
		words = binary.LittleEndian.AppendUint32(words, uint32(i%4*2+i/4))
	}
	return b.add(BlockNode{Op: BlockLoadTwos, Type: BlockTwos, Args: []*BlockNode{b.Twos(words)}, Name: codes, Off: off})
}

// Twos are 32 constants, in the order of the machine, or sixteen twice.
func (b *Block) Twos(bytes []byte) *BlockNode {
	return b.add(BlockNode{Op: BlockConst, Type: BlockTwos, Bytes: string(bytes)})
}

// Spots puts what f has for each of 32 elements in the order of Twos: the first fours of both sixteens' eights, then the second ones.
func (b *Block) Spots(f func(i int) byte) *BlockNode {
	bytes := make([]byte, 32)
	for i := range bytes {
		bytes[i] = f(i%16/4*8 + i/16*4 + i%4)
	}
	return b.Twos(bytes)
}

// Same is for every one of 32 elements one of 16 bytes of the block, or of 4.
func (b *Block) Same(off, bytes int, which func(i int) byte) *BlockNode {
	b.inside(off, bytes)
	return b.add(BlockNode{Op: BlockSame, Type: BlockTwos, Name: codes, Off: off, Count: bytes}).Shuffle(b.Spots(which))
}

// HighNibbles has the nibbles above where high says so, the low ones elsewhere.
func (n *BlockNode) HighNibbles(high func(i int) bool) *BlockNode {
	n.want("HighNibbles", BlockTwos)
	counts := n.b.Spots(func(i int) byte {
		if i%4 == 0 && high(i) {
			return 4
		}
		return 0
	})
	shifted := n.b.add(BlockNode{Op: BlockShrEach, Type: BlockTwos, Args: []*BlockNode{n, counts}})
	return shifted.And(n.b.AllTwos(15))
}

// AllTwos is 32 times the same byte.
func (b *Block) AllTwos(v byte) *BlockNode { return b.Twos([]byte(b.All(v).Bytes)) }

// What bytes are as integers.
const (
	AtBottom = iota // themselves, without a sign
	AtTop           // 2^24 times as much, with their sign
)

// Half has one of two sixteens of bytes as integers.
func (n *BlockNode) Half(which, place int) *BlockNode {
	n.want("Half", BlockTwos)
	return n.b.add(BlockNode{Op: BlockWidenTwos, Type: BlockInts, Args: []*BlockNode{n, n.b.Each(0)}, First: which, Count: place})
}

// HalfOf has the float32 of one of two sixteens whose upper bytes are those of high and low.
func (n *BlockNode) HalfOf(which int, low *BlockNode) *BlockNode {
	n.want("HalfOf", BlockTwos)
	low.want("HalfOf", BlockTwos)
	return n.b.add(BlockNode{Op: BlockWidenTwos, Type: BlockFloats, Args: []*BlockNode{n, n.b.Each(0), low}, First: which})
}

// Fourth is the one of the first four numbers of n that the low two bits of at say.
func (n *BlockNode) Fourth(at *BlockNode) *BlockNode {
	n.want("Fourth", BlockFloats)
	at.want("Fourth", BlockInts)
	return n.b.add(BlockNode{Op: BlockFourth, Type: BlockFloats, Args: []*BlockNode{at, n}})
}

// Sixteenth is the one of the sixteen numbers of n that the low four bits of at say, for machines that have tables of 32; and so are those below.
func (n *BlockNode) Sixteenth(at *BlockNode) *BlockNode {
	n.want("Sixteenth", BlockFloats)
	at.want("Sixteenth", BlockInts)
	return n.b.add(BlockNode{Op: BlockSixteenth, Type: BlockFloats, Args: []*BlockNode{at, n}})
}

// OfTwo is the one of low, or behind those of high, that the low five bits say.
func (n *BlockNode) OfTwo(low, high *BlockNode) *BlockNode {
	n.want("OfTwo", BlockInts)
	return n.b.add(BlockNode{Op: BlockTable, Type: BlockFloats, Args: []*BlockNode{n, low, high}})
}

// Word is four bytes of the block as sixteen times the same integer.
func (b *Block) Word(off int) *BlockNode {
	b.inside(off, 4)
	return b.add(BlockNode{Op: BlockSame, Type: BlockInts, Name: codes, Off: off, Count: 4})
}

// Gather is for each of sixteen integers some of sixteen bytes of the block, or of eight: -1 is a byte of zeros.
func (b *Block) Gather(off, bytes int, which func(i int) [4]int) *BlockNode {
	b.inside(off, bytes)
	all := b.add(BlockNode{Op: BlockSame, Type: BlockInts, Name: codes, Off: off, Count: bytes})
	from := b.ints(func(i int) uint32 {
		w := which(i)
		return uint32(byte(w[0])) | uint32(byte(w[1]))<<8 | uint32(byte(w[2]))<<16 | uint32(byte(w[3]))<<24
	})
	return b.add(BlockNode{Op: BlockShuffle, Type: BlockInts, Args: []*BlockNode{all, from}})
}

// ints are sixteen constants.
func (b *Block) ints(f func(i int) uint32) *BlockNode {
	var bytes []byte
	for i := range 16 {
		bytes = binary.LittleEndian.AppendUint32(bytes, f(i))
	}
	return b.add(BlockNode{Op: BlockConst, Type: BlockInts, Bytes: string(bytes)})
}

// ShiftRight is each integer shifted by a count of its own.
func (n *BlockNode) ShiftRight(count func(i int) uint32) *BlockNode {
	n.want("ShiftRight", BlockInts)
	return n.b.add(BlockNode{Op: BlockShrEach, Type: BlockInts, Args: []*BlockNode{n, n.b.ints(count)}})
}

// Times is n, of 15 bits, times a constant of as many.
func (n *BlockNode) Times(v uint32) *BlockNode {
	n.want("Times", BlockInts)
	return n.b.add(BlockNode{Op: BlockTimes, Type: BlockInts, Args: []*BlockNode{n, n.b.Bits(v)}})
}

// Select has some bits of n, and the others of c.
func (n *BlockNode) Select(bits uint32, c *BlockNode) *BlockNode {
	n.want("Select", BlockInts)
	return n.b.add(BlockNode{Op: BlockSelect, Type: BlockInts, Args: []*BlockNode{n, n.b.Bits(bits), c}})
}

// Float16 is the one at an offset, as a number.
func (b *Block) Float16(off int) *BlockNode {
	b.inside(off, 2)
	return b.add(BlockNode{Op: BlockFloat16, Type: BlockNumber, Name: codes, Off: off, Count: b.Bytes - off})
}

// Float16s are the two at an offset, as numbers, for machines that have tables; both is finite if they are.
func (b *Block) Float16s(off int) (first, second, both *BlockNode) {
	b.inside(off, 4)
	both = b.add(BlockNode{Op: BlockPair, Type: BlockNumber, Name: codes, Off: off, Count: b.Bytes - off})
	of := func(op BlockOp) *BlockNode {
		return b.add(BlockNode{Op: op, Type: BlockNumber, Args: []*BlockNode{both}})
	}
	return of(BlockEven), of(BlockOdd), both
}

// Look is the number of the table that the byte at an offset says.
func (b *Block) Look(off int) *BlockNode {
	b.inside(off, 1)
	b.Listed = true
	return b.add(BlockNode{Op: BlockListed, Type: BlockNumber, Name: codes, Off: off})
}

// Negated is a number with the other sign.
func (n *BlockNode) Negated() *BlockNode {
	n.want("Negated", BlockNumber)
	return n.b.add(BlockNode{Op: BlockNegate, Type: BlockNumber, Args: []*BlockNode{n}})
}

// MulAdd is n*c + a; the product has to be exact, or the result one of several that do, so that machines may round once or twice.
func (n *BlockNode) MulAdd(c, a *BlockNode) *BlockNode {
	n.want("MulAdd", BlockFloats)
	if c.Type != BlockFloats {
		c.want("MulAdd", BlockNumber)
	}
	a.want("MulAdd", BlockNumber)
	return n.b.add(BlockNode{Op: BlockMulAdd, Type: BlockFloats, Args: []*BlockNode{n, c, a}})
}

// Stash keeps sixteen float32 so that Pick has each as a number.
func (n *BlockNode) Stash() *BlockNode {
	n.want("Stash", BlockFloats)
	n.b.Stashes++
	return n.b.add(BlockNode{Op: BlockStash, Args: []*BlockNode{n}, Off: 64 * (n.b.Stashes - 1)})
}

// Pick is one of the numbers that were stashed.
func (n *BlockNode) Pick(lane int) *BlockNode {
	if n.Op != BlockStash {
		panic("ir: Pick of what is not stashed")
	}
	return n.b.add(BlockNode{Op: BlockPick, Type: BlockNumber, Args: []*BlockNode{n}, Off: n.Off + 4*lane})
}

// Store stores sixteen elements, from one of the block on.
func (b *Block) Store(element int, v *BlockNode) {
	v.want("Store", BlockFloats)
	if element < 0 || element+16 > b.Len {
		panic("ir: elements beyond a block")
	}
	b.add(BlockNode{Op: BlockStore, Args: []*BlockNode{v}, Name: elements, Off: 4 * element})
}

// Scaled stores the next 32 elements: signed bytes of the block times a float16, a product that is exact before it is rounded.
func (b *Block) Scaled(off int, n *BlockNode) {
	b.inside(off, 32)
	n.want("Scaled", BlockNumber)
	b.add(BlockNode{Op: BlockScaled, Args: []*BlockNode{n}, Name: codes, Off: off})
}

// LookedUp stores the next 32 elements: what a table has for codes in the order of NibblesOf or Halves of Quarters.
func (b *Block) LookedUp(table, at *BlockNode) {
	table.want("LookedUp", BlockFloats)
	at.want("LookedUp", BlockTwos)
	b.add(BlockNode{Op: BlockLookedUp, Args: []*BlockNode{table, at}, Off: len(b.Nodes)})
}

// Entries are the constants of a table for LookedUp, in the order that it takes them: the first four and the third, then the second and the fourth.
func (b *Block) Entries(numbers [16]int8) *BlockNode {
	var f [16]float32
	for i := range f {
		f[i] = float32(numbers[i/8*4+i/4%2*8+i%4])
	}
	return b.Numbers(f)
}

// LowThenHigh are the low nibbles of sixteen bytes of the block, then the high ones, for LookedUp.
func (b *Block) LowThenHigh(off int) *BlockNode {
	b.inside(off, 16)
	var counts [16]byte
	counts[8], counts[12] = 4, 4
	both := b.add(BlockNode{Op: BlockQuarters, Type: BlockTwos, Name: codes, Off: off, Count: 16})
	return b.add(BlockNode{Op: BlockShrEach, Type: BlockTwos, Args: []*BlockNode{both, b.Twos(counts[:])}}).And(b.AllTwos(15))
}

// Nibbles are the low nibbles of 32 bytes of the block, or the high ones, for LookedUp.
func (b *Block) Nibbles(off, high int) *BlockNode {
	b.inside(off, 32)
	return b.add(BlockNode{Op: BlockQuarters, Type: BlockTwos, Name: codes, Off: off, Count: 32}).Shift(-4 * high).And(b.AllTwos(15))
}

// Finite makes the call's check a NaN unless a number is finite.
func (b *Block) Finite(n *BlockNode) {
	n.want("Finite", BlockNumber)
	b.add(BlockNode{Op: BlockFinite, Args: []*BlockNode{n}})
}

// Root reports whether a node is there for what it does.
func (n *BlockNode) Root() bool {
	return n.Type == BlockNone && n.Op != BlockStash
}
