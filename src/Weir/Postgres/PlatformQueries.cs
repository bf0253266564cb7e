using System.Text.Json;
using Npgsql;
using Weir.Configuration;

namespace Weir.Postgres;

/// <summary>
/// Settings and acts of the operator that affect all organizations. They use the owner's connection: no login that serves requests
/// may do this.
/// </summary>
internal sealed class PlatformQueries(string ownerUrl)
{
    private const string Set = "select weir.set_setting($1, $2)";
    private const string AddAdmin = "select weir.add_platform_admin($1)";
    private const string Switch = "select weir.switch_platform($1)";
    private const string CreateUser = "select weir.create_user($1, $2)";

    /// <summary>
    /// The part of the configuration that SQL decides by: whose unknown people become users, which models may be chosen, how many
    /// denials are written one by one, and where callers reach Weir.
    /// </summary>
    public async Task NotifyAsync(WeirConfig config, CancellationToken ct)
    {
        await using var owner = Open();
        // Without published keys nobody unknown comes in; an issuer that was told before stays, as its people do.
        if (config.Auth is { JwksUrl: not null, Issuer: { } issuer })
        {
            await SetAsync(owner, "identity_issuers", new[] { issuer }, ct);
        }

        await SetAsync(owner, "models", config.Models.Providers.ToDictionary(p => p.Key, p => p.Value.Models.Keys), ct);
        await SetAsync(owner, "equal_denials", config.Maintenance.EqualDenials, ct);
        await SetAsync(owner, "public_url", config.Http.PublicAddress, ct);
    }

    /// <summary>Whether chat turns may use tools anywhere: at every replica from the next call on.</summary>
    public async Task SwitchChatToolsAsync(bool on, CancellationToken ct)
    {
        await using var owner = Open();
        await SetAsync(owner, "chat_tools", on, ct);
    }

    /// <summary>Whether calls of all organizations are admitted, at every replica.</summary>
    /// <returns>Whether that is new.</returns>
    public async Task<bool> SwitchAsync(bool active, CancellationToken ct)
    {
        await using var owner = Open();
        return await owner.ScalarAsync<bool>(Switch, [Sql.Boolean(active)], ct);
    }

    /// <exception cref="Errors.WeirException">WR004: there is no such user.</exception>
    public async Task AddAdminAsync(Guid userId, CancellationToken ct)
    {
        await using var owner = Open();
        await owner.ExecuteAsync(AddAdmin, [Sql.Uuid(userId)], ct);
    }

    /// <summary>A login of the embedded issuer; its id.</summary>
    /// <exception cref="Errors.WeirException">WR005: the address is taken. WR010: the database's users are Supabase's.</exception>
    public async Task<Guid> CreateUserAsync(string email, string passwordHash, CancellationToken ct)
    {
        await using var owner = Open();
        return await owner.ScalarAsync<Guid>(CreateUser, [Sql.Text(email), Sql.Text(passwordHash)], ct);
    }

    private NpgsqlDataSource Open() => NpgsqlDataSource.Create(DatabaseUrl.Parse(ownerUrl).ConnectionString);

    private static Task SetAsync<T>(NpgsqlDataSource owner, string name, T value, CancellationToken ct) =>
        owner.ExecuteAsync(Set, [Sql.Text(name), Sql.Jsonb(JsonSerializer.Serialize(value))], ct);
}
