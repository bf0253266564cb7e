using System.Text.Json;
using Weir.Postgres;
using Weir.Tests.Infrastructure;
using Weir.Tests.Journeys;

namespace Weir.Tests.Commands;

public sealed class PlatformAdminCommandTests(TestDatabase database) : IClassFixture<TestDatabase>, IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("weir-platform-admin-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task Add_takes_a_user_that_there_is_and_again_is_harmless()
    {
        var user = await World.CreateUserAsync(database);
        var owner = await ConfigAsync(new { ownerUrl = database.OwnerUrl });

        foreach (var (code, output, errors) in new[] { await AddAsync($"{user}", owner), await AddAsync($"{user}", owner) })
        {
            code.ShouldBe(0, errors);
            output.Trim().ShouldBe($"{user} is a platform admin.");
        }

        var unknown = await AddAsync($"{Guid.Empty}", owner);
        (unknown.ExitCode, unknown.Output, unknown.Errors.Trim()).ShouldBe((1, "", "weir: there is no such user"));
        (await AdminsAsync()).ShouldBe([user]);
    }

    [Fact]
    public async Task Add_is_refused_to_whoever_is_not_the_owner()
    {
        var user = await World.CreateUserAsync(database);

        var (code, _, errors) = await AddAsync($"{user}", await ConfigAsync(new { ownerUrl = database.EngineUrl }));

        (code, errors.Trim()).ShouldBe((1, "weir: This is not allowed."));
        (await AdminsAsync()).ShouldNotContain(user);
    }

    private static Task<(int ExitCode, string Output, string Errors)> AddAsync(string user, string config) =>
        RunningUp.RunAsync("platform-admin", "add", user, "--config", config);

    private async Task<string> ConfigAsync(object databaseUrls)
    {
        var file = Path.Combine(_directory, "weir.json");
        await File.WriteAllTextAsync(file, JsonSerializer.Serialize(new { database = databaseUrls }));
        return file;
    }

    private Task<IReadOnlyList<Guid>> AdminsAsync() =>
        database.Superuser.QueryAsync("select user_id from weir.platform_admins", [], r => r.GetGuid(0), CancellationToken.None);
}
