package ir

import (
	"math"
	"slices"
)

// Stream is an array with one element per element of the tile.
type Stream struct {
	Name string
	Mem  Mem
	Kind string // of what goes by word: the word's name
	Out  bool
	In   bool
}

// Kernel is a recorded formula.
type Kernel struct {
	Name     string    // family and variants, without the implementation's suffix
	Family   string    // kernels that differ in variants alone
	Variants []Variant // which of the family this is
	File     string    // names the generated file
	Doc      string    // the formula in words, for the generated declaration
	Nodes    []*Node
	Streams  []*Stream // outputs first
	Params   []*Node
	Words    []*Node
	Tables   []string // arguments with 256 numbers of 16 bits
	Results  []*Node
	Large    bool    // its outputs may be more than a cache keeps
	Whole    bool    // it is called for whole tiles only, and runs over a flat slice, or over groups of the usual length, up to an alarm
	Block    *Block  // what a kernel over interleaved blocks has instead of nodes
	Search   *Search // what a search has instead
	Sums     bool    // it sums a number over the elements of each group, with parameters as lanes: see plan.GenerateSums
	Columns  bool    // it is such a kernel with groups as lanes

	OfGroups   bool   // its elements are numbers of groups, of which there are few: its text is to be short
	Random     bool   // it makes random words, without nodes
	Transposed int    // it transposes a matrix of elements of so many bits, without nodes
	Pairs      int    // it looks codes of four bits up in tables of elements of so many bits, without nodes
	Powers     bool   // it multiplies small floats by powers of two, without nodes
	Stream     bool   // it gives each code of a bit stream a byte, without nodes
	Halves     Halves // what codes it makes 16 bits of, without nodes
	UpTo256    bool   // wider registers gain nothing: who has them leaves it to an implementation that has not
	Differs    bool   // it tells how two slices of float32 differ, without nodes
	Upward     bool   // what is rounded once is rounded toward positive infinity
	Far        bool   // where a machine looks ahead, long groups go on to where registers run out: constants stay in memory first

	memo map[string]*Node
	rare bool
}

// Halves are the codes of a kernel that makes float16 or bfloat16 of them in one pass.
type Halves uint8

const (
	NoHalves      Halves = iota
	HalvesOfBits         // integers of fewer than eight bits, a bit stream
	HalvesListed         // such of at most three bits, by a table of their group
	HalvesOfSixes        // floats of six bits
	HalvesOfBytes        // integers of eight bits
)

// Variant is one choice of a kind, such as an element type; Name is empty for
// the kind's first choice.
type Variant struct {
	Kind *Kind
	Name string
}

// Kind is something in which kernels of a family differ: a Go type with its constants.
type Kind struct {
	Type    string
	Doc     string
	Choices []string // constants
	Names   []string // what each adds to a kernel's name
}

// Of is the kind's choice with the given name.
func (k *Kind) Of(name string) Variant { return Variant{k, name} }

// ChoicesOf are the constants that stand for the variant: one, or several whose kernel is the same.
func (v Variant) ChoicesOf() (list []string) {
	for i, n := range v.Kind.Names {
		if n == v.Name {
			list = append(list, v.Kind.Choices[i])
		}
	}
	if list == nil {
		panic("ir: " + v.Kind.Type + " has no " + v.Name)
	}
	return list
}

// New begins a kernel of a family.
func New(file, family, doc string, variants ...Variant) *Kernel {
	k := &Kernel{Name: family, Family: family, Variants: variants, File: file, Doc: doc, memo: map[string]*Node{}}
	for _, v := range variants {
		k.Name += v.Name
	}
	return k
}

// Grouped reports whether the kernel has parameters or results per group; if
// not, it runs over one flat slice.
func (k *Kernel) Grouped() bool { return len(k.Params)+len(k.Results) > 0 }

// HasRare reports whether some tiles are done in a rare way.
func (k *Kernel) HasRare() bool {
	return slices.ContainsFunc(k.Nodes, func(n *Node) bool { return n.Rare })
}

// Folds reports whether the kernel reduces its groups to numbers.
func (k *Kernel) Folds() bool { return len(k.Results) > 0 }

func (k *Kernel) add(n Node) *Node {
	key := n.key()
	if old := k.memo[key]; old != nil {
		return old
	}
	n.ID, n.k, n.Rare = len(k.Nodes), k, k.rare
	p := &n
	k.Nodes = append(k.Nodes, p)
	k.memo[key] = p
	return p
}

func (k *Kernel) stream(name string, m Mem, out bool) {
	for _, s := range k.Streams {
		if s.Name == name {
			if memInfo[s.Mem].goes != memInfo[m].goes {
				panic("ir: stream " + name + " has two types")
			}
			s.Out, s.In = s.Out || out, s.In || !out
			return
		}
	}
	k.Streams = append(k.Streams, &Stream{Name: name, Mem: m, Out: out, In: !out})
}

// Load is the next tile of an input.
func (k *Kernel) Load(name string, m Mem) *Node {
	k.stream(name, m, false)
	return k.add(Node{Op: OpLoad, Type: memInfo[m].typ, Name: name, Mem: m, Kind: k.elemWord(m)})
}

// LoadShorts is the next tile of unsigned bytes as integers of 16 bits.
func (k *Kernel) LoadShorts(name string) *Node {
	k.stream(name, MemU8, false)
	return k.add(Node{Op: OpLoad, Type: I16, Name: name, Mem: MemU8})
}

// LoadMask16 is the next tile of bits as a mask of 16-bit lanes.
func (k *Kernel) LoadMask16(name string) *Node {
	k.stream(name, MemBits, false)
	return k.add(Node{Op: OpLoad, Type: Mask16, Name: name, Mem: MemBits})
}

// elemWord is the word that a type of elements goes by, if it goes by one.
func (k *Kernel) elemWord(m Mem) string {
	if m != MemNarrow {
		return ""
	}
	return k.Word(ElemWord, MemI32).Name
}

// LoadListed is the next tile of codes of a byte, as their values. These are
// bfloat16s, and those of 0x80 and more those of 0 to 0x7f, or these with the
// other sign; where that of 0 is 0, that of 0x80 may be NaN.
func (k *Kernel) LoadListed(name string, values *[256]float32) *Node {
	k.stream(name, MemListed, false)
	table := make([]byte, 0, 512)
	for _, v := range values {
		b := math.Float32bits(v)
		table = append(table, byte(b>>16), byte(b>>24))
	}
	return k.add(Node{Op: OpLoad, Type: F32, Name: name, Mem: MemListed, Table: string(table)})
}

// LoadSixes loads floats of six bits as float16s: a code with its sign at the top is shifted down
// by the upper half of a product, the sign repeated, and then some bits are kept. Both are words for 16 bits, twice.
func (k *Kernel) LoadSixes(name string, down, keep *Node) *Node {
	k.stream(name, MemSixes, false)
	return k.add(Node{Op: OpLoad, Type: F32, Name: name, Mem: MemSixes, Args: []*Node{down, keep}})
}

// Signed is the next tile of codes of a few bits, as bytes. The word sign is the
// highest bit of a signed code, 0 if they are unsigned, so that both kinds share
// a kernel.
func (k *Kernel) Signed(name string, m Mem, sign *Node) *Node {
	b := sign.Narrow16().NarrowS8()
	return k.Load(name, m).Xor(b).Sub8(b)
}

// SignedValues is the same as float32.
func (k *Kernel) SignedValues(name string, m Mem, sign *Node) *Node {
	k.stream(name, m, false)
	return k.add(Node{Op: OpLoad, Type: F32, Args: []*Node{sign}, Name: name, Mem: m})
}

// LoadCodes is the next tile of integer codes in the layout that a word of the call says, as float32. SignWord tells if they are signed.
func (k *Kernel) LoadCodes(name string, layout *Node) *Node {
	k.Word(SignWord, MemI32)
	return k.byWord(layout, Node{Op: OpLoad, Type: F32, Name: name, Mem: MemCodes})
}

// Param is the group's element of a parameter array of float32 or int32.
func (k *Kernel) Param(name string, m Mem) *Node {
	n := k.add(Node{Op: OpParam, Type: memInfo[m].typ, Name: name, Mem: m})
	for _, p := range k.Params {
		if p == n {
			return n
		}
	}
	k.Params = append(k.Params, n)
	return n
}

// Word is a scalar argument of the call, float32 or int32.
func (k *Kernel) Word(name string, m Mem) *Node {
	n := k.add(Node{Op: OpWord, Type: memInfo[m].typ, Name: name, Mem: m})
	if !slices.ContainsFunc(k.Words, func(w *Node) bool { return w.Name == name }) {
		k.Words = append(k.Words, n)
	}
	return n
}

// Const is a float32 constant.
func (k *Kernel) Const(v float32) *Node {
	return k.add(Node{Op: OpConst, Type: F32, Bits: math.Float32bits(v)})
}

// Int is an int32 constant.
func (k *Kernel) Int(v int32) *Node { return k.add(Node{Op: OpConst, Type: I32, Bits: uint32(v)}) }

// Short is a constant in each 16-bit lane.
func (k *Kernel) Short(v uint16) *Node {
	return k.add(Node{Op: OpConst, Type: I16, Bits: uint32(v) * 0x00010001})
}

// Byte is a constant in each byte.
func (k *Kernel) Byte(v uint8) *Node {
	return k.add(Node{Op: OpConst, Type: I8, Bits: uint32(v) * 0x01010101})
}

// TableConst is a whole-register constant; targets ask for these.
func (k *Kernel) TableConst(words []uint32) *Node {
	b := make([]byte, 0, 4*len(words))
	for _, w := range words {
		b = append(b, byte(w), byte(w>>8), byte(w>>16), byte(w>>24))
	}
	return k.add(Node{Op: OpTable, Type: I32, Table: string(b)})
}

// Plane is a register of bytes of a table's numbers, from the first low bytes on
// to the last high ones; targets ask for these.
func (k *Kernel) Plane(table string, i int) *Node {
	return k.add(Node{Op: OpPlane, Type: I8, Name: table, Bits: uint32(i)})
}

// ByLayout is number i of what a target reads codes of less than a byte with, in the layout that a word says; targets ask for it.
func (k *Kernel) ByLayout(word string, i int) *Node {
	return k.add(Node{Op: OpByLayout, Type: F32, Kind: word, Bits: uint32(i)})
}

// Uppers is a mask of 16-bit lanes: the upper halves of 32-bit ones.
func (k *Kernel) Uppers() *Node { return k.add(Node{Op: OpUppers, Type: Mask}) }

// Store writes the tile to an output. Accepted are F32 to floats, I32 and I16 to integers
// of their size, I16 as it was loaded or looked up, I8 to bytes and less, masks to Bits.
func (k *Kernel) Store(name string, m Mem, v *Node) {
	want := map[Mem]Type{MemF32: F32, MemF16: F32, MemBF16: F32, MemNarrow: F32, MemI32: I32, MemI16: I16, MemU16: I32, MemI8: I8, MemU8: I8, MemByte: I8, MemU4: I8, MemU2: I8, MemU6: I8, MemE2M1: I8, MemBits: Mask}[m]
	if v.Type != Mask16 || want != Mask {
		v.want("Store", want)
	}
	k.stream(name, m, true)
	k.add(Node{Op: OpStore, Args: []*Node{v}, Name: name, Mem: m, Kind: k.elemWord(m)})
}

// StoreMask writes the tile's mask to an output in the way that a word of the call says: MaskNone,
// MaskBytes or MaskBits. The mask is a comparison for equality, and is made only if it is wanted.
func (k *Kernel) StoreMask(name string, kind, m *Node) {
	if m.Op != OpEq && m.Op != OpIEq && m.Op != OpInside {
		panic("ir: StoreMask of what is no equality")
	}
	k.byWord(kind, Node{Op: OpStore, Args: m.Args, Name: name, Mem: MemMask, Bits: uint32(m.Op)})
}

// StoreCodes writes the tile's integers to an output as codes in the layout that a word of the call says,
// clipped to least and most: codes of the layout, a byte each.
func (k *Kernel) StoreCodes(name string, layout, q, least, most *Node) {
	q.want("StoreCodes", I16)
	least.want("StoreCodes", I8)
	most.want("StoreCodes", I8)
	k.byWord(layout, Node{Op: OpStore, Args: []*Node{q, least, most}, Name: name, Mem: MemCodes})
}

// StoreFloat writes the tile's float codes to an output in the layout that a word of the call says: LayoutUnsigned,
// clipped to top below the sign, LayoutNibbles, saturated to three bits, or LayoutListed, what table has for those. Bytes are or'ed with nan, unless it is nil. Signs are those of Signs16.
func (k *Kernel) StoreFloat(name string, layout, halves, signs, top *Node, table *[16]byte, nan *Node) {
	if halves.Op != OpHalvesHigh {
		panic("ir: StoreFloat of other halves")
	}
	n := Node{Op: OpStore, Args: []*Node{halves, signs, top}, Name: name, Mem: MemFloat, Table: string(table[:])}
	if nan != nil {
		n.Args = append(n.Args, nan)
	}
	signs.want("StoreFloat", I16)
	for _, a := range n.Args[2:] {
		a.want("StoreFloat", I8)
	}
	k.byWord(layout, n)
}

// byWord adds a load or store of what goes by a word.
func (k *Kernel) byWord(word *Node, n Node) *Node {
	if word.Op != OpWord || word.Mem != MemI32 {
		panic("ir: " + n.Op.String() + " by what is no word")
	}
	k.stream(n.Name, n.Mem, n.Op == OpStore)
	for _, s := range k.Streams {
		if s.Name == n.Name {
			s.Kind = word.Name
		}
	}
	n.Kind = word.Name
	return k.add(n)
}

// Result stores a folded number for the group: F32, or of I32 the upper half.
func (k *Kernel) Result(name string, m Mem, v *Node) {
	v.want("Result", map[Mem]Type{MemF32: F32, MemI16: I32}[m])
	k.Results = append(k.Results, k.add(Node{Op: OpResult, Type: None, Args: []*Node{v}, Name: name, Mem: m}))
}

// Row is row i of an array of rows of float32, one for each column, and StoreRow sets it.
func (k *Kernel) Row(name string, i int) *Node {
	k.stream(name, MemF32, false)
	return k.add(Node{Op: OpLoad, Type: F32, Name: name, Mem: MemF32, Bits: uint32(i)})
}

func (k *Kernel) StoreRow(name string, i int, v *Node) {
	v.want("StoreRow", F32)
	k.stream(name, MemF32, true)
	k.add(Node{Op: OpStore, Args: []*Node{v}, Name: name, Mem: MemF32, Bits: uint32(i)})
}

// Unmasked forgets the masks of OneNaN, for a machine that needs none.
func (k *Kernel) Unmasked() {
	for _, n := range k.Nodes {
		if n.Op == OpOneNaN {
			n.Args = n.Args[1:]
		}
	}
	k.Prune()
}

// Always has the rare way be taken always, if it does nothing but make one NaN of all: that is right for every tile.
func (k *Kernel) Always() {
	rare := 0
	for _, n := range k.Nodes {
		switch {
		case !n.Rare:
		case n.Op == OpStore:
			rare++
		case n.Op != OpOneNaN && n.Op != OpConst:
			return
		}
	}
	if rare == 0 {
		return
	}
	k.Nodes = slices.DeleteFunc(k.Nodes, func(n *Node) bool { return n.Root() && !n.Rare })
	for _, n := range k.Nodes {
		n.Rare = false
	}
	k.Prune()
}
