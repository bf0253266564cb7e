namespace Weir.Tests.Database;

/// <summary>A runner that overlooks a failure would make every other test worthless.</summary>
public sealed class PgTapReaderTests
{
    [Fact]
    public void A_stream_that_keeps_its_plan_is_clean() => PgTapSuite.Problems("1..2\nok 1 - a\nok 2 - b\n", "", 0).ShouldBeEmpty();

    [Fact]
    public void A_failure_is_told_with_its_diagnosis() =>
        PgTapSuite.Problems("1..2\nnot ok 1 - a\n# Failed test 1: \"a\"\n#         have: 1\nok 2 - b\n# note\n", "", 0)
            .ShouldBe("not ok 1 - a\n# Failed test 1: \"a\"\n#         have: 1");

    [Theory]
    [InlineData("1..3\nok 1 - a\nok 2 - b\n", "", 0)]
    [InlineData("ok 1 - a\n", "", 0)]
    [InlineData("", "", 0)]
    [InlineData("1..1\nok 1 - a\n", "psql:x.sql:3: ERROR:  relation does not exist", 0)]
    [InlineData("1..1\nok 1 - a\n", "", 3)]
    [InlineData("1..1\nok 1 - # SKIP no extension\n", "", 0)]
    public void A_broken_plan_an_error_and_a_skip_are_problems(string output, string error, int exitCode) =>
        PgTapSuite.Problems(output, error, exitCode).ShouldNotBeEmpty();
}
