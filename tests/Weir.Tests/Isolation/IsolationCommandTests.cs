using System.Text.Json;
using Weir.Isolation;
using Weir.Postgres;
using Weir.Tests.Infrastructure;
using Weir.Tests.Journeys;

namespace Weir.Tests.Isolation;

/// <summary>The command, on a database as `weir migrate` leaves it.</summary>
public sealed class IsolationCommandTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_database_as_migrated_exits_0_and_a_finding_exits_1_with_its_fix()
    {
        var (code, output, errors) = await CheckAsync(database.OwnerUrl);
        (code, errors).ShouldBe((0, ""), output);
        output.Trim().ShouldBe($"0 findings in {IsolationCheck.Embedded.Count} checks.");

        await database.Owner.ExecuteAsync("alter table public.agents no force row level security", [], Cancelled);
        (code, output, _) = await CheckAsync(database.OwnerUrl);
        code.ShouldBe(1);
        output.ShouldContain("rls-not-forced: public.agents");
        output.ShouldContain("alter table public.agents force row level security;");
        output.ShouldContain("1 finding in ");

        (code, output, _) = await CheckAsync(database.OwnerUrl, "--json");
        code.ShouldBe(1);
        using var document = JsonDocument.Parse(output);
        document.RootElement.GetProperty("checks").GetInt32().ShouldBe(IsolationCheck.Embedded.Count);
        document.RootElement.TryGetProperty("attempts", out _).ShouldBeFalse();
        var finding = document.RootElement.GetProperty("findings").EnumerateArray().ShouldHaveSingleItem();
        finding.GetProperty("id").GetString().ShouldBe("rls-not-forced");
        finding.GetProperty("object").GetString().ShouldBe("public.agents");
        finding.GetProperty("fix").GetString().ShouldBe("alter table public.agents force row level security;");

        await database.Owner.ExecuteAsync("alter table public.agents force row level security", [], Cancelled);
    }

    [Fact]
    public async Task An_attack_is_counted_and_leaves_nothing_and_what_it_finds_exits_1()
    {
        var (code, output, errors) = await CheckAsync(database.OwnerUrl, "--attack", "--json");
        (code, errors).ShouldBe((0, ""), output);
        JsonElement.Parse(output).GetProperty("attempts").GetInt32().ShouldBeGreaterThan(1000);
        JsonElement.Parse(output).GetProperty("notes").GetArrayLength().ShouldBe(0);
        (await database.Superuser.ScalarAsync<long>("select count(*) from public.organizations", [], Cancelled)).ShouldBe(0);

        await database.Owner.ExecuteAsync(
            "create policy everybody on public.agents for select to authenticated using (true)", [], Cancelled);
        (code, output, _) = await CheckAsync(database.OwnerUrl, "--attack");
        code.ShouldBe(1);
        output.ShouldContain("policy-open: everybody on public.agents");
        output.ShouldContain("attack-read: public.agents");

        await database.Owner.ExecuteAsync("drop policy everybody on public.agents", [], Cancelled);
    }

    [Fact]
    public async Task The_url_comes_from_the_environment_where_no_option_gives_it()
    {
        var (code, output, errors) = await RunningUp.RunAsync(
            new Dictionary<string, string> { ["WEIR_OWNER_DATABASE_URL"] = TestCluster.InDatabase(database.OwnerUrl, "postgres") },
            "isolation", "check");

        (code, output).ShouldBe((1, ""));
        errors.Trim().ShouldBe("weir: There is no Weir in this database. Name another one with --database, or run weir migrate.");
    }

    [Fact]
    public async Task A_database_that_does_not_answer_exits_1()
    {
        var (code, output, errors) = await CheckAsync("postgresql://owner:p@127.0.0.1:1/x");

        (code, output).ShouldBe((1, ""));
        errors.ShouldStartWith("weir: The database does not answer.");
    }

    [Theory]
    [InlineData("isolation")]
    [InlineData("isolation", "check")]
    [InlineData("isolation", "check", "--database")]
    [InlineData("isolation", "check", "--database", "nowhere")]
    [InlineData("isolation", "check", "everything")]
    public async Task Usage_exits_2(params string[] arguments)
    {
        var (code, output, errors) = await RunningUp.RunAsync(arguments);

        (code, output).ShouldBe((2, ""));
        errors.ShouldStartWith("weir: ");
    }

    private static Task<(int ExitCode, string Output, string Errors)> CheckAsync(string url, params string[] options) =>
        RunningUp.RunAsync(["isolation", "check", "--database", url, .. options]);
}
