using Weir.Rest;

namespace Weir.Tests.Rest;

public sealed class FieldParserTests
{
    private static readonly PublishedRelation Relation = new("agents", [new PublishedColumn("id", "uuid")]);

    [Fact]
    public void F07_quotes_that_are_not_closed_are_read_in_time_that_grows_with_their_length()
    {
        // A reader that begins again at each quote needs minutes, and gives up with another exception.
        var text = string.Concat(Enumerable.Repeat("\\\"", 200_000));

        Should.Throw<RestException>(() => FieldParser.Select(Relation, text)).Code.ShouldBe("PGRST100");
        Should.Throw<RestException>(() => FieldParser.Order(Relation, text)).Code.ShouldBe("PGRST100");
    }

    [Theory]
    [InlineData("id,other(id)", "PGRST127")]
    [InlineData("id,\"(\"", "PGRST100")]
    [InlineData("id,\"\\\"(\",x(", "PGRST127")]
    [InlineData("count()", "PGRST123")]
    public void What_is_in_parentheses_outside_of_quotes_is_another_table(string text, string code) =>
        Should.Throw<RestException>(() => FieldParser.Select(Relation, text)).Code.ShouldBe(code);
}
