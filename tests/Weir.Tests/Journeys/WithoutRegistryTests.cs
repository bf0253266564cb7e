using System.Text;
using System.Text.Json;
using Npgsql;
using Weir.Configuration;
using Weir.Postgres;

namespace Weir.Tests.Journeys;

/// <summary>`weir up` where npm cannot reach its registry.</summary>
public sealed class UpWithoutRegistry : RunningUp
{
    private protected override IReadOnlyDictionary<string, string> Variables => WithoutRegistry;
}

/// <summary>Weir starts all the same, and the instances say why they do not run.</summary>
public sealed class WithoutRegistryTests(UpWithoutRegistry up) : IClassFixture<UpWithoutRegistry>
{
    [Fact]
    public async Task Every_instance_of_the_demo_is_failed_with_the_reason()
    {
        // That the fixture has its report already says that `up` was ready within its time.
        await using var gateway = NpgsqlDataSource.Create(DatabaseUrl.Parse(up["databaseUrl"]).ConnectionString);
        var instances = await new UserSession(gateway).QueryAsync(
            Person(), "select instance_name, status, last_error_code from public.get_organization_mcp_configs($1, null) order by 1",
            [Sql.Uuid(up.Report.GetProperty("organizationId").GetGuid())], r => (r.GetString(0), r.GetString(1), r.GetNullableString(2)),
            CancellationToken.None);
        instances.ShouldBe(
            [
                ("everything", "failed", "registry_unreachable"), ("filesystem", "failed", "registry_unreachable"),
                ("memory", "failed", "registry_unreachable"),
            ]);
        var reasons = await up.LookAsync("select last_error from public.mcp_server_instances", r => r.GetString(0));
        reasons.ShouldAllBe(reason => reason.StartsWith("The node cannot reach the package registry"));
        up.StartedWithin.ShouldBeLessThan(TimeSpan.FromSeconds(120));
    }

    private Guid Person()
    {
        var body = up["userToken"].Split('.')[1];
        return JsonElement.Parse(Encoding.UTF8.GetString(System.Buffers.Text.Base64Url.DecodeFromChars(body))).GetProperty("sub").GetGuid();
    }
}
