using Weir.Errors;
using Weir.Knowledge.Text;

namespace Weir.Tests.Knowledge;

public sealed class ChunkerTests
{
    private static readonly string Prose = string.Join("\n\n",
        Enumerable.Range(1, 40).Select(n => string.Join(' ', Enumerable.Range(1, 12).Select(s => $"Paragraph {n} says sentence {s}."))));

    [Fact]
    public void A_short_text_is_one_piece() => Cut("  Two words.\n").ShouldBe(["Two words."]);

    [Theory]
    [InlineData("")]
    [InlineData(" \n\n\t ")]
    public void A_text_without_text_is_none(string text) => Cut(text).ShouldBeEmpty();

    [Fact]
    public void No_piece_is_longer_than_it_may_be_and_nothing_is_lost()
    {
        var pieces = Cut(Prose, 300, 60);

        pieces.ShouldAllBe(p => p.Length <= 300);
        Sentences(Prose).Except(pieces.SelectMany(Sentences), StringComparer.Ordinal).ShouldBeEmpty();
    }

    [Fact]
    public void A_piece_ends_with_a_paragraph_or_a_sentence_where_there_is_one() => Cut(Prose, 300, 60).ShouldAllBe(p => p.EndsWith('.'));

    [Fact]
    public void A_piece_repeats_the_end_of_the_one_before_it_from_a_word_on()
    {
        var text = string.Join(' ', Enumerable.Range(1000, 500));

        var pieces = Cut(text, 200, 50);

        foreach (var (before, after) in pieces.Zip(pieces.Skip(1)))
        {
            var first = after.Split(' ')[0];
            first.Length.ShouldBe(4, "a word is not cut");
            before.ShouldContain(first);
            (before.Length - before.LastIndexOf(first, StringComparison.Ordinal)).ShouldBeInRange(4, 50);
        }
    }

    [Fact]
    public void The_same_text_gives_the_same_pieces() => Cut(Prose, 300, 60).ShouldBe(Cut(Prose, 300, 60));

    [Theory]
    [InlineData(200, 0)]
    [InlineData(200, 100)]
    [InlineData(4000, 1000)]
    public void A_text_without_any_break_is_cut_all_the_same_and_no_character_in_two(int size, int overlap)
    {
        var pieces = Cut(string.Concat(Enumerable.Repeat("🙂a", 4001)), size, overlap);

        pieces.ShouldAllBe(p => p.Length <= size && p.Length > 0);
        pieces.ShouldAllBe(p => !char.IsLowSurrogate(p.First()) && !char.IsHighSurrogate(p.Last()));
        pieces.Sum(p => p.Length).ShouldBeGreaterThanOrEqualTo(3 * 4001);
    }

    [Fact]
    public void A_piece_stays_in_its_section() =>
        Chunker.Cut([new Section("A", "one"), new Section("B", "two")], 1000, 100).ShouldBe([new Chunk("A", "one"), new Chunk("B", "two")]);

    [Fact]
    public void What_is_binary_is_refused()
    {
        var binary = string.Concat(Enumerable.Range(0, 2000).Select(i => (char)(1 + (i * 7 % 250))));

        Should.Throw<WeirException>(() => DocumentText.Chunks(DocumentText.Plain, binary, 1200, 150)).Code.ShouldBe(
            ErrorCode.InvalidArgument);
        Should.Throw<WeirException>(
            () => DocumentText.Chunks(DocumentText.Plain, "%PDF-1.7 " + new string('\uFFFD', 500), 1200, 150)).Code.ShouldBe(
            ErrorCode.InvalidArgument);
    }

    [Fact]
    public void A_document_of_too_many_pieces_is_refused_and_not_cut_to_the_end()
    {
        var many = string.Concat(Enumerable.Range(0, 11_000).Select(i => $"# {i}\n\ntext\n\n"));

        Should.Throw<WeirException>(() => DocumentText.Chunks(DocumentText.Markdown, many, 1200, 150)).Code.ShouldBe(ErrorCode.TooLarge);
    }

    [Fact]
    public void A25_what_a_person_does_not_see_is_taken_out()
    {
        var tags = string.Concat("ignore".Select(c => char.ConvertFromUtf32(0xE0000 + c)));

        DocumentText.Chunks(DocumentText.Plain, $"Hello{tags}\u202E\u200B\u2066 wor\u00ADld\u001b[2J\u0007.\r\nline\ttwo 👩‍💻", 1200, 150)
            .Single().Text.ShouldBe("Hello world.\nline\ttwo 👩‍💻");
    }

    [Fact]
    public void A25_bytes_in_variation_selectors_are_taken_out_and_what_scripts_need_stays()
    {
        var smuggled = string.Concat("ignore"u8.ToArray().Select(b => char.ConvertFromUtf32(0xE0100 + b - 16)));

        DocumentText.Chunks(DocumentText.Plain, $"Hello{smuggled} ❤\uFE0F می\u200Cخواهم \uE000", 1200, 150).Single().Text.ShouldBe(
            "Hello ❤\uFE0F می\u200Cخواهم");
    }

    private static string[] Cut(
        string text, int size = 1200, int overlap = 150) => [.. Chunker.Cut([new Section("", text)], size, overlap).Select(c => c.Text)];

    private static IEnumerable<string> Sentences(string text) =>
        text.Split('.', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
}
