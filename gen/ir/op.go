package ir

// Op is an operation.
type Op uint8

// Operations. Floating-point ones round half to even, once.
const (
	OpLoad     Op = iota // next tile of a stream, what is no integer of its own widened to 32-bit lanes
	OpParam              // this group's element of a parameter array
	OpWord               // a scalar argument of the call
	OpConst              // the same 32 bits in every lane
	OpTable              // whole-register constant, asked for by a target
	OpUppers             // mask: the upper halves of 32-bit lanes, asked for by a target
	OpPlane              // bytes of the numbers of a table that is an argument, asked for by a target
	OpByLayout           // what codes of less than a byte are read with, in the layout that a word says, asked for by a target
	OpStore              // next tile of a stream

	OpAdd        // a + b
	OpSub        // a - b
	OpMul        // a * b
	OpDiv        // a / b
	OpMax        // max(a, b) where b is no NaN; NaN in a stays
	OpMin        // min(a, b) likewise
	OpMaximum    // the larger; NaN in either gives NaN
	OpMinimum    // the smaller; likewise
	OpClip       // of the magnitude of a, or of b >= 0 where a has more; the sign is that of a, or none, as the target likes; anything for NaN
	OpMulAdd     // a*b + c, rounded once
	OpMulSub     // a*b - c, rounded once
	OpMulSubFrom // c - a*b, rounded once
	OpRound      // to an integer
	OpRoundElem  // to an element type, as the word ElemWord says
	OpSqrt       // square root, rounded once
	OpOfHalf     // to float16, toward zero; what is 0 or a normal number there
	OpToInt      // to int32; anything for NaN and for what is beyond int32, but see OpAlarmLow
	OpToFloat    // from int32
	OpWidenUpper // from float16 or bfloat16, as a word says, in the upper half of 32 bits
	OpWiden      // from 16 bits as loaded

	OpIAdd // 32-bit integers, wrapping
	OpISub
	OpIMax // signed, of 32 or 16 bits
	OpIMin // signed, of 16 bits
	OpUMin // unsigned, likewise
	OpUMax // unsigned, likewise
	OpAnd  // 16 bits and bytes too
	OpOr
	OpXor   // bytes too
	OpOrAnd // a | b&c; bytes too
	OpShl   // by a constant
	OpShr   // logical, by a constant; of bytes too, but then anything may be shifted in
	OpShrBy // logical, by b, less than 32
	OpAs    // the same bits as another type
	OpElse  // a where groups are long, b elsewhere

	OpEq      // mask: a == b, floats
	OpIEq     // mask: a == b, integers, of 16 bits too
	OpInside  // mask: a, which is Clip of b, has the magnitude of b
	OpOrdered // mask: a is no NaN
	OpOneNaN  // Select of Ordered of what arithmetic gave, that, and the NaN that arithmetic gives
	OpSelect  // mask ? a : b
	OpKeep    // mask ? a : +0
	OpPass    // mask ? a : the sign of a, of 16 bits

	OpNarrow16   // int32 to int16, saturating
	OpHalves     // int32 to int16: the sum of the lower half, signed, and the upper one >> a constant, 0 or above, saturated to some bits
	OpHalvesBy   // the same, the lower half times 128 and the upper one times the upper half of b, over 128, saturated to 8 bits or more
	OpHalvesHigh // the same with weights for both, saturated to 8 or to 3 bits and then at the top of 16, or as HalvesBy, as the target likes: MemFloat knows
	OpAddSat16   // int16, saturating
	OpNarrowS8   // int16 to int8, saturating
	OpNarrowU8   // int16 to uint8, saturating
	OpShuffledU8 // the same in an order that the target likes
	OpInOrder    // bytes that are in that order, in that of the elements
	OpMaxS8      // int8
	OpMaxU8      // uint8
	OpMinS8
	OpMinU8
	OpSub8     // bytes, wrapping
	OpBytes    // mask to one byte per lane, 0 or 1
	OpSigns    // float32 to int16 of which only the highest bit counts, the sign
	OpSigns8   // such to bytes, in the order of ShuffledU8
	OpLookUp16 // the 16 bits of a table of 256, an argument, that a byte says

	OpAlarmNaN   // sends the tile the rare way if a float in it is NaN
	OpAlarmCode  // the same if a byte of a stream, or'ed with a, is 0xff
	OpAlarmAbove // the same if 16 bits, less than 0x8000, are more than b; c is what else to begin a tile with
	OpAlarmHalf  // the same if a float is neither 0 nor a number that float16 has toward zero as a normal one; for 0 too if the target likes
	OpAlarmLow   // the same if a float is NaN or beyond the integers, so that ToInt will not do; the least int16 of Narrow16 sounds it too

	OpFoldMin  // the smallest float of a group; anything if a NaN is among them
	OpFoldMax  // the largest float of a group; likewise
	OpFoldIMax // the largest integer of a group, signed; of 16 bits, in the upper half of 32 above zeros
	OpFoldUMax // the largest, unsigned; likewise
	OpFoldUMin // the smallest, unsigned; likewise
	OpFoldNaN  // a NaN if one is in the group or a fold of it already gives one, else +0
	OpSum      // the sum over the elements, of kernels that sum
	OpResult   // stores a group's number
)

var opNames = [...]string{
	OpLoad: "Load", OpParam: "Param", OpWord: "Word", OpConst: "Const", OpTable: "Table", OpUppers: "Uppers",
	OpPlane: "Plane", OpByLayout: "ByLayout", OpStore: "Store", OpAdd: "Add", OpSub: "Sub", OpMul: "Mul",
	OpDiv: "Div", OpMax: "Max", OpMin: "Min", OpMaximum: "Maximum", OpMinimum: "Minimum", OpClip: "Clip",
	OpMulAdd: "MulAdd", OpMulSub: "MulSub", OpMulSubFrom: "MulSubFrom", OpRound: "Round",
	OpRoundElem: "RoundElem", OpSqrt: "Sqrt", OpOfHalf: "OfHalf", OpToInt: "ToInt", OpToFloat: "ToFloat",
	OpWidenUpper: "WidenUpper", OpWiden: "Widen", OpIAdd: "IAdd", OpISub: "ISub", OpIMax: "IMax",
	OpIMin: "IMin", OpUMin: "UMin", OpUMax: "UMax", OpAnd: "And", OpOr: "Or", OpXor: "Xor", OpOrAnd: "OrAnd",
	OpShl: "Shl", OpShr: "Shr", OpShrBy: "ShrBy", OpAs: "As", OpElse: "Else", OpEq: "Eq", OpIEq: "IEq", OpInside: "Inside",
	OpOrdered: "Ordered", OpOneNaN: "OneNaN", OpSelect: "Select", OpKeep: "Keep", OpPass: "Pass", OpNarrow16: "Narrow16", OpHalves: "Halves",
	OpHalvesBy: "HalvesBy", OpHalvesHigh: "HalvesHigh", OpAddSat16: "AddSat16", OpNarrowS8: "NarrowS8",
	OpNarrowU8: "NarrowU8", OpShuffledU8: "ShuffledU8", OpInOrder: "InOrder", OpMaxS8: "MaxS8",
	OpMaxU8: "MaxU8", OpMinS8: "MinS8", OpMinU8: "MinU8", OpSub8: "Sub8", OpBytes: "Bytes", OpSigns: "Signs",
	OpSigns8: "Signs8", OpLookUp16: "LookUp16", OpAlarmNaN: "AlarmNaN", OpAlarmCode: "AlarmCode",
	OpAlarmAbove: "AlarmAbove", OpAlarmHalf: "AlarmHalf", OpAlarmLow: "AlarmLow", OpFoldMin: "FoldMin", OpFoldMax: "FoldMax",
	OpFoldIMax: "FoldIMax", OpFoldUMax: "FoldUMax", OpFoldUMin: "FoldUMin", OpFoldNaN: "FoldNaN", OpSum: "Sum",
	OpResult: "Result",
}

func (o Op) String() string { return opNames[o] }

// Fold reports whether the operation reduces a group to a number.
func (o Op) Fold() bool { return OpFoldMin <= o && o <= OpFoldNaN }
