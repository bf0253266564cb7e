using Weir.Chat.Offline;

namespace Weir.Tests.Chat.Offline;

public sealed class ValuesTests
{
    [Theory]
    [InlineData("read /data/a.txt and docs/b.md, then c.csv.", "/data/a.txt docs/b.md c.csv")]
    [InlineData("read ../secret.txt or /data/../etc/passwd", "")]
    [InlineData("see https://example.test/a/b.html", "")]
    [InlineData("version 3.5 of *.csv", "")]
    public void Paths_are_found_and_those_that_climb_are_not(string text, string paths) =>
    string.Join(' ', Values.Paths(text)).ShouldBe(paths);

    [Theory]
    [InlineData("add 3 and -4.5, not a7 or 1/2", "3 -4.5")]
    public void Numbers_stand_alone(string text, string numbers) => string.Join(' ', Values.Numbers(text)).ShouldBe(numbers);

    [Theory]
    [InlineData("pattern=*.csv please", "pattern", "*.csv")]
    [InlineData("Pattern: \"a b\"", "pattern", "a b")]
    [InlineData("mypattern=x", "pattern", null)]
    [InlineData("no such thing", "pattern", null)]
    public void A_named_value_is_what_stands_behind_its_name(string text, string name, string? value) =>
    Values.Named(text, name).ShouldBe(value);

    [Fact]
    public void Quoted_text_is_taken_and_apostrophes_are_not_quotes() =>
        Values.Quoted("say \"hello there\" or `x`; it's Peter's").ShouldBe(["hello there", "x"]);

    [Theory]
    [InlineData("/")]
    [InlineData("a")]
    [InlineData("a.")]
    [InlineData("a/")]
    [InlineData("\"")]
    [InlineData("“")]
    [InlineData("'a ")]
    [InlineData("*")]
    [InlineData("what ")]
    [InlineData("path=\"")]
    [InlineData("path ")]
    [InlineData("-1")]
    [InlineData("aB")]
    public void A_hostile_text_costs_little_time(string piece)
    {
        // The largest message, many times what one costs: what grows faster than the text would take minutes.
        var hostile = string.Concat(Enumerable.Repeat(piece, 1 + (32 * 1024 / piece.Length)));
        var started = TimeProvider.System.GetTimestamp();
        for (var i = 0; i < 20; i++)
        {
            Values.Paths(hostile);
            Values.PathLines(hostile);
            Values.Urls(hostile);
            Values.Quoted(hostile);
            Values.Patterns(hostile);
            Values.Numbers(hostile);
            Values.Named(hostile, "path");
            Words.Of(hostile);
            Words.Implied(hostile);
        }

        TimeProvider.System.GetElapsedTime(started).TotalSeconds.ShouldBeLessThan(30);
    }
}
