// Package beam runs Lowbit's jobs on many machines, as pipelines of Apache Beam.
//
// Only names, offsets and small results go through the engine. A worker finds out anew what there is to do: the plan of package checkpoint is
// a pure function of the input's headers and the job. It reads ranges of the input and writes ranges of the output, and the same piece has
// the same bytes whoever does it and however often, so that retries, duplicates and workers that were given up for dead do no harm.
//
// # What is written, and when it appears
//
// An output in a folder (file://, which all machines must have in common) is made in a folder beside it, .NAME.lowbit-beam-DIGEST, and
// renamed when it is whole. In a bucket the pieces are objects under OUT/.lowbit-beam/DIGEST; a shard's are joined in one object, and the index
// is written last: with it the checkpoint is there. DIGEST stands for the input's files with their sizes, times and checksums, and for the job.
//
// A run that was killed leaves its stage. The next run of the same job takes it up. An input that has changed in between has another digest,
// and one that changes during the run ends it.
package beam
