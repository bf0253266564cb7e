using Weir.Gateway.AgentTools;

namespace Weir.Tests.Gateway.AgentTools;

public sealed class ExposedNamesTests
{
    private static readonly Guid Instance = Guid.Parse("01900000-0000-7000-8000-000000000001");
    private static readonly Guid Other = Guid.Parse("01900000-0000-7000-8000-000000000002");

    [Fact]
    public void A_plain_name_is_joined_with_its_instance() => Make("files", "read_file").ShouldBe("files__read_file");

    [Theory]
    [InlineData("tool.with.dots")]
    [InlineData("öffnen")]
    [InlineData("a b")]
    [InlineData("read/file")]
    public void A_replaced_character_is_paid_with_a_hash(string tool)
    {
        var name = Make("files", tool);
        name.ShouldMatch("^files__[A-Za-z0-9_-]+_[0-9a-f]{8}$");
        name.ShouldNotBe(ExposedNames.Make("files", Other, tool, 48));
    }

    [Fact]
    public void A_long_name_is_cut_to_the_limit_and_stays_distinct()
    {
        var first = Make("files", new string('a', 60) + "1");
        var second = Make("files", new string('a', 60) + "2");
        first.Length.ShouldBe(48);
        second.Length.ShouldBe(48);
        first.ShouldNotBe(second);
    }

    [Fact]
    public void A_name_of_exactly_the_limit_is_kept() => Make("files", new string('a', 41)).ShouldBe("files__" + new string('a', 41));

    [Fact]
    public void A27_a_real_name_cannot_pose_as_a_made_one()
    {
        var made = Make("files", "read.file");
        var posing = made["files__".Length..];
        Make("files", posing).ShouldNotBe(made);
    }

    [Fact]
    public void A27_splitting_the_prefix_elsewhere_gives_another_name() =>
    Make("a", "b__c").ShouldNotBe(ExposedNames.Make("a--b", Other, "c", 48));

    [Fact]
    public void Names_depend_on_nothing_but_instance_and_tool() => Make("files", "read.file").ShouldBe(Make("files", "read.file"));

    private static string Make(string instance, string tool) => ExposedNames.Make(instance, Instance, tool, 48);
}
